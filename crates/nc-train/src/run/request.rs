use nc_record::RunDir;

use crate::{Result, config::Experiment};

/// Inputs of the decision [`Start::decide`](super::start::Start::decide).
pub(super) struct Request<'a> {
    /// Directory of the run.
    pub(super) directory: &'a RunDir,
    pub(super) experiment: &'a Experiment,
    /// Hash of the run.
    pub(super) hash: &'a str,
    /// Hash of the test images.
    pub(super) test_hash: &'a str,
    /// Computes the run hash of another experiment on the same data.
    pub(super) hash_of: &'a dyn Fn(&Experiment) -> Result<String>,
    /// Loads weights into the network; false if they do not fit.
    pub(super) load: &'a dyn Fn(&[u8]) -> bool,
    /// Whether to ignore earlier runs.
    pub(super) fresh: bool,
}
