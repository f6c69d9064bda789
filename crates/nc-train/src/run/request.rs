use nc_record::RunDir;

use crate::{Result, config::Experiment};

/// The facts by which [`Start`](super::start::Start) is decided.
pub(super) struct Request<'a> {
    /// The run's directory.
    pub(super) directory: &'a RunDir,
    pub(super) experiment: &'a Experiment,
    /// The run's hash.
    pub(super) hash: &'a str,
    /// The hash of the test images.
    pub(super) test_hash: &'a str,
    /// The hash that the run of another experiment on the same data has.
    pub(super) hash_of: &'a dyn Fn(&Experiment) -> Result<String>,
    /// Loads weights into the network; false if they do not fit it.
    pub(super) load: &'a dyn Fn(&[u8]) -> bool,
    /// Whether earlier runs are ignored.
    pub(super) fresh: bool,
}
