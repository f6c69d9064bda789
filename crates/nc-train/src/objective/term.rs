use candle_core::{Device, Tensor, backprop::GradStore};
use nc_data::Batch;
use nc_models::{Branch, Network, Precision};

use super::targets::Targets;
use crate::{Result, config::Space};

/// A term of the objective, with its state such as centres.
#[allow(unused_variables)] // of the default methods
pub(crate) trait Term: Send {
    /// Prepares for an epoch.
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        Ok(())
    }

    /// Whether steps read or replace the network's variables, which must then not stay on a GPU.
    fn uses_variables(&self) -> bool {
        false
    }

    /// The weighted losses of a step; empty while the term is off.
    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>>;

    /// Gradients of the term's own parameters. The step is skipped unless they are finite.
    fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        vec![]
    }

    /// Updates the term's state after a step of the network.
    fn after_step(&mut self, step: &StepContext<'_>, gradients: &GradStore) -> Result<()> {
        Ok(())
    }

    /// The term's tensors with their names in checkpoints.
    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(vec![])
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

/// Measures the class means of a network's vectors, one tensor for each branch.
pub(crate) type MeasureMeans<'a> = dyn Fn(&dyn Network, Space) -> Result<Vec<Tensor>> + 'a;

/// Context of [`Term::begin_epoch`].
pub(crate) struct EpochContext<'a> {
    /// From 0.
    pub(crate) epoch: usize,
    /// Seed of initial values.
    pub(crate) seed: u64,
    pub(crate) network: &'a dyn Network,
    pub(crate) device: &'a Device,
    /// Measures the class means of each branch's training vectors in evaluation mode.
    pub(crate) class_means: &'a MeasureMeans<'a>,
}

/// Context of a step.
pub(crate) struct StepContext<'a> {
    pub(crate) network: &'a dyn Network,
    /// The network's outputs: of each expert, or of each view that the network sees.
    pub(crate) branches: &'a [Branch],
    /// The batch.
    pub(crate) batch: &'a Batch,
    /// The labels of each view of the batch.
    pub(crate) targets: &'a [Targets],
    /// K.
    pub(crate) classes: usize,
    /// Precision of the layers before the features.
    pub(crate) precision: Precision,
}

impl<'a> StepContext<'a> {
    /// The branches of the first view: all experts, or the first branch.
    pub(crate) fn first_view(&self) -> &'a [Branch] {
        let experts = self.network.heads().len().max(1);
        &self.branches[..experts.min(self.branches.len())]
    }
}
