use candle_core::{Tensor, backprop::GradStore};

use super::{adamw::AdamW, sgd::Sgd, trainable::Trainable};
use crate::{Result, config::OptimizerConfig};

/// The optimiser of a phase.
pub(crate) enum Optimizer {
    Sgd(Sgd),
    AdamW(AdamW),
}

impl Optimizer {
    /// An optimiser before its first step.
    pub(crate) fn new(config: OptimizerConfig) -> Self {
        match config {
            OptimizerConfig::Sgd(config) => Self::Sgd(Sgd::new(config)),
            OptimizerConfig::AdamW(config) => Self::AdamW(AdamW::new(config)),
        }
    }

    /// Updates each of `params` that has a gradient, given the finite norm of all gradients.
    pub(crate) fn apply(
        &mut self,
        params: &[Trainable],
        gradients: &GradStore,
        learning_rate: f64,
        norm: f64,
    ) -> Result<()> {
        match self {
            Self::Sgd(sgd) => sgd.apply(params, gradients, learning_rate, norm),
            Self::AdamW(adamw) => adamw.apply(params, gradients, learning_rate, norm),
        }
    }

    /// The state under its names in a checkpoint.
    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        match self {
            Self::Sgd(sgd) => Ok(sgd.state().collect()),
            Self::AdamW(adamw) => adamw.state(),
        }
    }

    /// Restores one tensor of the state; false if it is no state of `params`.
    pub(crate) fn restore(&mut self, params: &[Trainable], name: &str, tensor: &Tensor) -> Result<bool> {
        match self {
            Self::Sgd(sgd) => Ok(sgd.restore(params, name, tensor)),
            Self::AdamW(adamw) => adamw.restore(params, name, tensor),
        }
    }
}
