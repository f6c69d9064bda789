use std::path::PathBuf;

use nc_metrics::{Accuracy, Calibration, Geometry};

/// Result of a run, with the metrics of nc-metrics.
pub type RunResult = nc_record::RunResult<Accuracy, Calibration, Geometry>;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The result, as in `result.json`.
    pub result: RunResult,
    /// The run directory.
    pub directory: PathBuf,
    /// Whether the run was already finished, so that nothing was trained.
    pub earlier: bool,
}
