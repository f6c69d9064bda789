#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use std::{fs, io, time::Duration};

use super::{Error, io_error};
use crate::{Features, RunDir};

#[test]
fn every_error_is_worded_as_it_is_kept() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let page = dir.path().join("page.html");
    fs::write(&page, "<!doctype html><title>No features</title>")?;
    let full = io::Error::from(io::ErrorKind::StorageFull);
    let no_features = match Features::read(&page) {
        Err(Error::NotFeatures { reason, .. }) => Error::NotFeatures { path: "page.html".into(), reason },
        other => panic!("{other:?}"),
    };
    let no_json = serde_json::from_str::<u32>("nothing").unwrap_err();
    let first =
        r#"{"event":"phase_started","format_version":1,"phase":"one","epochs":2,"steps_per_epoch":3}"#;
    fs::write(dir.path().join("events.jsonl"), format!("{first}\n{{\"event\":\"phase_ended\"}}\n"))?;
    let wrong_line = match RunDir::read_events(dir.path()) {
        Err(Error::Malformed { source, .. }) => Error::Malformed { path: "events.jsonl".into(), source },
        other => panic!("{other:?}"),
    };
    let run = || "runs/one".into();
    assert_worded!(
        Error { Io, Malformed, Damaged, NotFeatures, Held, Version },
        vec![
            ("a disk that is full", io_error("write", "runs/one/result.json".as_ref())(full)),
            ("a result that was edited", Error::Malformed { path: "result.json".into(), source: no_json }),
            ("a log with a wrong line", wrong_line),
            (
                "a log that was cut",
                Error::Damaged {
                    path: "runs/one/events.jsonl".into(),
                    reason: "expected 812 bytes of events, found 12".into(),
                }
            ),
            ("features that are a page", no_features),
            ("a run in use", Error::Held { directory: run(), holder: None, dead_after: None }),
            (
                "a run in use elsewhere",
                Error::Held { directory: run(), holder: None, dead_after: Some(Duration::from_mins(1)) }
            ),
            ("a record of the future", Error::Version { path: "result.json".into(), found: 2, expected: 1 }),
        ]
    );
    Ok(())
}
