use candle_core::Tensor;
use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, SOFTMAX_CURVATURE};

/// Cross entropy, -log softmax(z)_y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Label smoothing: fraction of the target spread evenly over all classes; 0 disables it.
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn curvature(&self, _: usize) -> Option<f64> {
        Some(SOFTMAX_CURVATURE)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        nc_losses::smoothed_cross_entropy_each(batch.logits, &batch.labels.tensor, None, self.label_smoothing)
    }

    /// As in PyTorch, class weights apply to each class's share of the smoothed target.
    fn of_batch(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let Labelled { logits, labels, class_weights, .. } = *batch;
        let smoothing = self.label_smoothing;
        nc_losses::smoothed_cross_entropy_each(logits, &labels.tensor, class_weights, smoothing)?.mean()
    }
}
