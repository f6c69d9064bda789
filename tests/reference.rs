//! Snapshot of the configuration reference.

use crate::{
    run::{nclt, stdout},
    snapshot::assert_kept,
};

#[test]
fn the_configuration_reference_is_up_to_date() {
    let dir = tempfile::tempdir().unwrap();
    assert_kept("../../docs/configuration.md", &stdout(&nclt(dir.path(), &["config"])));
}
