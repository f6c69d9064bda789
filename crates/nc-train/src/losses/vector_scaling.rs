//! Vector scaling (Kini et al., "Label-Imbalanced and Group-Sensitive Classification under Overparameterization", NeurIPS
//! 2021).

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, SOFTMAX_CURVATURE};

/// Cross entropy of z_k / Delta_k + tau log(n_k / sum n), Delta_k = (n_max / n_k)^gamma: the VS loss.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VectorScaling {
    /// Exponent gamma of the divisors Delta_k; 0 gives logit adjustment.
    #[schemars(range(min = 0, max = 100))]
    pub gamma: f64,
    /// Factor tau on log n_k.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
}

impl Loss for VectorScaling {
    // The divisors are at least 1.
    fn curvature(&self, _: usize) -> Option<f64> {
        Some(SOFTMAX_CURVATURE)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let Self { gamma, tau } = *self;
        let scaled = nc_losses::vector_scaled_logits(batch.logits, batch.class_counts, gamma, tau)?;
        nc_losses::cross_entropy_each(&scaled, &batch.labels.tensor)
    }
}
