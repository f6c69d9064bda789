use std::path::PathBuf;

use nc_metrics::{Accuracy, Calibration, Geometry};

/// The result of a run with this project's metrics.
pub type RunResult = nc_record::RunResult<Accuracy, Calibration, Geometry>;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its figures; also in `result.json`.
    pub result: RunResult,
    /// Where its files are.
    pub directory: PathBuf,
    /// Whether it had been finished before, so that nothing was done.
    pub earlier: bool,
}
