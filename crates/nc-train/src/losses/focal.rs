//! Focal loss (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017). With effective-number class weights:
//! class-balanced focal loss in its softmax form (Cui et al., CVPR 2019).

use nc_losses::PerSample;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};

/// Focal loss: cross entropy times (1 - p_y)^gamma.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// Focusing exponent.
    #[schemars(range(min = 0, max = 1e6))]
    pub gamma: f64,
}

impl Loss for Focal {
    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        nc_losses::focal_each(batch.logits, &batch.labels.tensor, self.gamma)
    }
}
