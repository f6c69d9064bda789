//! Cross entropy on everything: the baseline, and what mix-up alone makes of it.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Labelled, Loss, Method,
    preset::{RECIPE_L, RECIPE_M},
};

/// Cross entropy, -log softmax(z)_y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CrossEntropy {
    /// Share of the target spread evenly over all classes; 0 for none.
    #[serde(default)]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub label_smoothing: f64,
}

impl Loss for CrossEntropy {
    fn takes_class_weights(&self) -> bool {
        true
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        batch.cross_entropy(batch.logits, self.label_smoothing)
    }
}

pub(super) const METHODS: &[Method] = &[RECIPE_L, RECIPE_M];
