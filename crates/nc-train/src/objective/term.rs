use candle_core::{Device, Tensor, backprop::GradStore};
use nc_models::{Branch, Network};

use super::targets::Targets;
use crate::Result;

/// A term of the objective, with its state such as centres.
#[allow(unused_variables)] // of the default methods
pub(crate) trait Term: Send {
    /// Prepares for an epoch.
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        Ok(())
    }

    /// The weighted losses of a step; empty while the term is off.
    fn parts(&self, step: &StepContext<'_>) -> Result<Vec<Part>>;

    /// Gradients of the term's own parameters. The step is skipped unless they are finite.
    fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        vec![]
    }

    /// Updates the term's state after a step of the network.
    fn after_step(&mut self, step: &StepContext<'_>, gradients: &GradStore) -> Result<()> {
        Ok(())
    }

    /// The term's tensors with their names in checkpoints.
    fn state(&self) -> Vec<(String, Tensor)> {
        vec![]
    }

    /// Restores the tensor `name` of [`Term::state`]; false if the term does not know the name.
    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        Ok(false)
    }
}

/// A loss of a step with its weight in the total.
pub(crate) struct Part {
    /// Name in logs.
    pub(crate) name: &'static str,
    pub(crate) weight: f64,
    /// A scalar.
    pub(crate) value: Tensor,
}

/// Context of [`Term::begin_epoch`].
pub(crate) struct EpochContext<'a> {
    /// From 0.
    pub(crate) epoch: usize,
    /// Seed of initial values.
    pub(crate) seed: u64,
    pub(crate) network: &'a dyn Network,
    pub(crate) device: &'a Device,
    /// Measures the class means (K, P) of each branch's training features in evaluation mode.
    pub(crate) class_means: &'a dyn Fn(&dyn Network) -> Result<Vec<Tensor>>,
}

/// Context of a step.
pub(crate) struct StepContext<'a> {
    pub(crate) network: &'a dyn Network,
    /// The network's outputs.
    pub(crate) branches: &'a [Branch],
    /// The labels of each view of the batch.
    pub(crate) targets: &'a [Targets],
}
