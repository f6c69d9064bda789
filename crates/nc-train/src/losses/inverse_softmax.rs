//! Inverse softmax (SADE, Zhang et al., "Self-Supervised Aggregation of Diverse Experts for Test-Agnostic Long-Tailed
//! Recognition", NeurIPS 2022).

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, SOFTMAX_CURVATURE};

/// Cross entropy of z_k + log pi_k - tau log pi'_k, with the class shares pi and pi', those in reversed order of size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InverseSoftmax {
    /// Factor tau on log pi'_k; 2 in SADE.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
}

impl Loss for InverseSoftmax {
    fn curvature(&self, _: usize) -> Option<f64> {
        Some(SOFTMAX_CURVATURE)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let adjusted = nc_losses::inverse_softmax_logits(batch.logits, batch.class_counts, self.tau)?;
        nc_losses::cross_entropy_each(&adjusted, &batch.labels.tensor)
    }
}
