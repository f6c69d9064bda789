//! Focal loss (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017).

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, Method, SupervisedLoss, preset::RECIPE_L};
use crate::{ModelConfig, Result, validate::not_negative};

/// Cross entropy times (1 - p_y)^gamma.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focal {
    /// The exponent.
    pub gamma: f64,
}

impl Loss for Focal {
    fn validate(&self, key: &dyn Fn(&str) -> String, _: &ModelConfig) -> Result<()> {
        not_negative(self.gamma, key("gamma"))
    }

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
