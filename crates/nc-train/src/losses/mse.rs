//! Squared error on one-hot targets (eq. 7 of the paper), for which neural collapse has a closed form.

use candle_core::Tensor;
use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};

/// Mean over images and classes of (logit - one-hot target)^2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanSquaredError {
    /// Use half the sum over classes instead of their mean, as in eq. 7 of the paper: K/2 times the default.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub halved_sum: bool,
}

impl Loss for MeanSquaredError {
    fn curvature(&self, classes: usize) -> Option<f64> {
        Some(if self.halved_sum { 1.0 } else { 2.0 / classes as f64 })
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        nc_losses::mse_each(batch.logits, &batch.labels.tensor)
    }

    fn of_batch(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let mean = batch.weighted(self.of_each(batch)?)?.mean()?;
        if self.halved_sum { Ok((mean * (batch.class_counts.len() as f64 / 2.0))?) } else { Ok(mean) }
    }
}
