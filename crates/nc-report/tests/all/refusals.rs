//! Snapshot of all error messages of the crate.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use std::{fmt, io};

pub(crate) use kept::Refusals;
use nc_report::Error;

use crate::{damaged, images, pages};

/// `UPDATE_SNAPSHOTS=1` updates the snapshot.
#[test]
fn error_messages_match_the_snapshot() {
    let mut told = Refusals::default();
    damaged::refused(&mut told);
    images::refused(&mut told);
    pages::refused(&mut told);
    let not_json = || serde_json::from_str::<u32>("nothing").unwrap_err();
    let missing = io::ErrorKind::NotFound.into();
    let version = nc_record::Error::Version { path: "result.json".into(), found: 2, expected: 1 };
    for (tried, error) in [
        ("CSV to a full disk", csv::Error::from(io::Error::from(io::ErrorKind::StorageFull)).into()),
        ("JSON that fails", not_json().into()),
        ("a result of a later format", version.into()),
        ("a run without configuration", Error::Read { path: "runs/one/config.toml".into(), source: missing }),
        ("a damaged projection", Error::Malformed { path: "projection.json".into(), source: not_json() }),
        ("a run that is not finished", Error::Unfinished { run: "runs/one".into() }),
        (
            "a chart that fails",
            Error::Drawing { drawing: "Training loss".into(), reason: fmt::Error.to_string() },
        ),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
