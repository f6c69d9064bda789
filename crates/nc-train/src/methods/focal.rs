//! Focal loss (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017).

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, Method, SupervisedLoss, preset::RECIPE_L};

/// Cross entropy times (1 - p_y)^gamma.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// The exponent.
    #[schemars(range(min = 0, max = 1e6))]
    pub gamma: f64,
}

impl Loss for Focal {
    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        nc_losses::focal(batch.logits, batch.labels, self.gamma)
    }
}

pub(super) const METHODS: &[Method] = &[Method {
    name: "focal",
    description: "focal loss, gamma 1",
    loss: SupervisedLoss::Focal(Focal { gamma: 1.0 }),
    ..RECIPE_L
}];
