//! Cross entropy on everything: the baseline, and what mix-up alone makes of it.

use candle_core::Tensor;
use serde::{Deserialize, Serialize};

use super::{
    Labelled, Loss, Method,
    preset::{RECIPE_L, RECIPE_M},
};
use crate::{ModelConfig, Result, validate::unit_interval};

/// Cross entropy, -log softmax(z)_y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Share of the target spread evenly over all classes; 0 for none.
    #[serde(default)]
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn takes_class_weights(&self) -> bool {
        true
    }

    fn validate(&self, key: &dyn Fn(&str) -> String, _: &ModelConfig) -> Result<()> {
        unit_interval(self.label_smoothing, key("label_smoothing"))
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        batch.cross_entropy(batch.logits, self.label_smoothing)
    }
}

pub(super) const METHODS: &[Method] = &[RECIPE_L, RECIPE_M];
