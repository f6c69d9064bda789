use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum and coupled weight decay, like PyTorch's `SGD`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Base learning rate, multiplied by the schedule's factor.
    #[schemars(range(max = 1e12), extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Momentum, without dampening.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Nesterov momentum.
    #[serde(default)]
    pub nesterov: bool,
    /// Weight decay of every parameter: `weight_decay` times the parameter is added to its gradient.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight_decay: f64,
    /// Gradient clipping by the global norm; absent to disable it. Gradients of learnable centres are neither counted
    /// nor scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
}
