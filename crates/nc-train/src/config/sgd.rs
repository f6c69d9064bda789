use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent with momentum and coupled weight decay, as PyTorch's `SGD`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate, before the schedule's factor.
    #[schemars(range(max = 1e12), extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Momentum, without dampening.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Look ahead along the momentum (Nesterov).
    #[serde(default)]
    pub nesterov: bool,
    /// Times the parameter, added to its gradient; of every parameter.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight_decay: f64,
    /// Largest norm of all gradients together, to which longer ones are scaled down; absent for no limit. Gradients of
    /// learnable centres do not count and are not scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
}
