use nc_metrics::{Accuracy, Calibration, Geometry};
use nc_record::RunResult;

/// Result of a run.
pub(crate) type Finished = RunResult<Accuracy, Calibration, Geometry>;

/// Class names; empty for results of earlier versions.
pub(crate) fn class_names(result: &Finished) -> &[String] {
    result.input.as_ref().map_or(&[], |input| &input.classes)
}
