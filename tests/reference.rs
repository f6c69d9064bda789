//! The reference of the configuration, as it stands in `docs`.

use crate::{
    run::{nclt, stdout},
    snapshot::assert_kept,
};

#[test]
fn the_reference_is_that_of_the_program() {
    let dir = tempfile::tempdir().unwrap();
    assert_kept("../../docs/configuration.md", &stdout(&nclt(dir.path(), &["config"])));
}
