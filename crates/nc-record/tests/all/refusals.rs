//! Snapshot of all error messages of the crate.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use std::{fs, io, time::Duration};

pub(crate) use kept::Refusals;
use nc_record::{Error, RunDir};

use crate::{features, other_files};

/// `UPDATE_SNAPSHOTS=1` updates the snapshot.
#[test]
fn error_messages_match_the_snapshot() {
    let mut told = Refusals::default();
    features::refused(&mut told);
    other_files::refused(&mut told);
    let directory = tempfile::tempdir().unwrap();
    let phase =
        r#"{"event":"phase_started","format_version":1,"phase":"one","epochs":2,"steps_per_epoch":3}"#;
    let log = format!("{phase}\n{{\"event\":\"phase_ended\"}}\n");
    fs::write(directory.path().join(RunDir::EVENTS), log).unwrap();
    told.add("a log with an unknown event", RunDir::read_events(directory.path()));
    let held = |dead_after| Error::Held { directory: "runs/one".into(), holder: None, dead_after };
    let full = io::ErrorKind::StorageFull.into();
    let not_json = serde_json::from_str::<u32>("nothing").unwrap_err();
    let short = "expected 812 bytes of events, found 12".into();
    for (tried, error) in [
        ("a full disk", Error::Io { action: "write", path: "runs/one/result.json".into(), source: full }),
        ("a result that is not JSON", Error::Malformed { path: "result.json".into(), source: not_json }),
        ("a log cut off", Error::Damaged { path: "runs/one/events.jsonl".into(), reason: short }),
        ("a run in use", held(None)),
        ("a run in use on another machine", held(Some(Duration::from_mins(1)))),
        ("a result of a later format", Error::Version { path: "result.json".into(), found: 2, expected: 1 }),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
