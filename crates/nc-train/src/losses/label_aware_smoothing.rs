//! Label-aware smoothing, used in the second phase of MiSLAS (Zhong et al., "Improving Calibration for Long-Tailed
//! Recognition", CVPR 2021).

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, SOFTMAX_CURVATURE};

/// Cross entropy with label smoothing that depends on the size of the true class: from `tail` for the smallest class to
/// `head` for the largest, interpolated by a quarter of a sine.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelAwareSmoothing {
    /// Smoothing of the largest class.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub head: f64,
    /// Smoothing of the smallest class.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub tail: f64,
}

impl Loss for LabelAwareSmoothing {
    fn curvature(&self, _: usize) -> Option<f64> {
        Some(SOFTMAX_CURVATURE)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let Labelled { logits, labels, class_counts, .. } = *batch;
        nc_losses::label_aware_smoothing_each(logits, &labels.tensor, class_counts, self.head, self.tail)
    }
}
