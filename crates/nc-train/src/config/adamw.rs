use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)), like PyTorch's `AdamW`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AdamWConfig {
    /// Base learning rate, multiplied by the schedule's factor; commonly 0.001.
    #[schemars(range(max = 1e12), extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Decay of the moving average of gradients.
    #[serde(default = "AdamWConfig::beta1")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta1: f64,
    /// Decay of the moving average of squared gradients.
    #[serde(default = "AdamWConfig::beta2")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub beta2: f64,
    /// Added to the root of the second moment.
    #[serde(default = "AdamWConfig::epsilon")]
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub epsilon: f64,
    /// Decoupled weight decay of every parameter: each step multiplies the parameter by 1 - learning rate x
    /// `weight_decay`.
    #[serde(default = "AdamWConfig::weight_decay")]
    #[schemars(range(min = 0, max = 1e6))]
    pub weight_decay: f64,
    /// Gradient clipping by the global norm; absent to disable it. Gradients of learnable centres are neither counted
    /// nor scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
}

/// Defaults, those of PyTorch.
impl AdamWConfig {
    fn beta1() -> f64 {
        0.9
    }

    fn beta2() -> f64 {
        0.999
    }

    fn epsilon() -> f64 {
        1e-8
    }

    fn weight_decay() -> f64 {
        0.01
    }

    /// PyTorch's defaults at `learning_rate`.
    pub fn new(learning_rate: f64) -> Self {
        Self {
            learning_rate,
            beta1: Self::beta1(),
            beta2: Self::beta2(),
            epsilon: Self::epsilon(),
            weight_decay: Self::weight_decay(),
            clip_norm: None,
        }
    }
}
