//! Snapshot of all error messages of the crate.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use std::fs;

pub(crate) use kept::Refusals;
use nc_paper::{Error, Records, Scale};

use crate::{malformed, queue};

/// `UPDATE_SNAPSHOTS=1` updates the snapshot.
#[test]
fn error_messages_match_the_snapshot() {
    let mut told = Refusals::default();
    malformed::refused(&mut told);
    queue::refused(&mut told);
    let results = tempfile::tempdir().unwrap();
    fs::create_dir(results.path().join("quick")).unwrap();
    fs::write(results.path().join("quick/one.json"), "{}").unwrap();
    told.add("a record of nothing", Records::read(results.path(), Scale::Quick));
    let version = || nc_record::Error::Version { path: "result.json".into(), found: 2, expected: 1 };
    for (tried, error) in [
        ("a run that fails", Error::from(nc_train::Error::from(version()))),
        ("a record of a later format", version().into()),
        ("a report of a later format", nc_report::Error::from(version()).into()),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
