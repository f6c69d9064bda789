use candle_core::{Device, Tensor, backprop::GradStore};
use nc_models::{Branch, Network};

use super::targets::Targets;
use crate::Result;

/// A term of the objective, with its state: centres, averages, queues.
pub(crate) trait Term: Send {
    /// Prepares for an epoch.
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        let _ = epoch;
        Ok(())
    }

    /// The losses of a step, each with its weight in the total; none while the term is off.
    fn parts(&self, step: &StepContext<'_>) -> Result<Vec<Part>>;

    /// The gradients of the term's own parameters. A step is taken only if they are finite.
    fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        let _ = gradients;
        vec![]
    }

    /// Moves the term's state after a step of the network.
    fn after_step(&mut self, step: &StepContext<'_>, gradients: &GradStore) -> Result<()> {
        let _ = (step, gradients);
        Ok(())
    }

    /// The term's tensors, under the names that checkpoints hold them by.
    fn state(&self) -> Vec<(String, Tensor)> {
        vec![]
    }

    /// Takes the tensor `name` of an earlier [`Term::state`]; false if the term has none of this name.
    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        let _ = (name, tensor);
        Ok(false)
    }
}

/// A loss of a step with its weight in the total.
pub(crate) struct Part {
    /// Its name in logs.
    pub(crate) name: &'static str,
    pub(crate) weight: f64,
    /// A scalar.
    pub(crate) value: Tensor,
}

/// Context of [`Term::begin_epoch`].
pub(crate) struct EpochContext<'a> {
    /// From 0.
    pub(crate) epoch: usize,
    /// Seeds initial values.
    pub(crate) seed: u64,
    pub(crate) network: &'a dyn Network,
    pub(crate) device: &'a Device,
    /// Measures the class means (K, P) of the training features in evaluation mode.
    pub(crate) class_means: &'a dyn Fn(&dyn Network) -> Result<Tensor>,
}

/// Context of a step.
pub(crate) struct StepContext<'a> {
    pub(crate) network: &'a dyn Network,
    /// The network's outputs.
    pub(crate) branches: &'a [Branch],
    /// The labels of each view of the batch.
    pub(crate) targets: &'a [Targets],
}
