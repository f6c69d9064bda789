#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use std::{fmt, io};

use super::Error;

#[test]
fn every_error_is_worded_as_it_is_kept() {
    let no_json = || serde_json::from_str::<u32>("nothing").unwrap_err();
    let missing = || io::Error::from(io::ErrorKind::NotFound);
    assert_worded!(
        Error { Csv, Json, Record, Read, Malformed, Inconsistent, Unfinished, Analysis, Drawing },
        vec![
            (
                "CSV to a disk that is full",
                csv::Error::from(io::Error::from(io::ErrorKind::StorageFull)).into()
            ),
            ("JSON that cannot be", no_json().into()),
            (
                "a record of the future",
                nc_record::Error::Version { path: "runs/one/result.json".into(), found: 2, expected: 1 }
                    .into()
            ),
            (
                "a run without its configuration",
                Error::Read { path: "runs/one/config.toml".into(), source: missing() }
            ),
            (
                "features that were edited",
                Error::Malformed { path: "projection.json".into(), source: no_json() }
            ),
            (
                "a result that lost a class",
                Error::Inconsistent {
                    path: "runs/one/result.json".into(),
                    reason: "accuracy.per_class: expected one for each class, 10, found 9".into()
                }
            ),
            ("a run that goes on", Error::Unfinished { run: "runs/one".into() }),
            (
                "features of another number of classes",
                Error::Analysis {
                    name: "features.npz".into(),
                    reason: "class_counts: expected one for each class, 10, found 9".into()
                }
            ),
            ("a drawing", Error::Drawing { drawing: "Training loss".into(), reason: fmt::Error.to_string() }),
        ]
    );
}
