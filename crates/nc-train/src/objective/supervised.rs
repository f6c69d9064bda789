use candle_core::Tensor;
use nc_models::Head;

use super::{
    targets::Targets,
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{
    Error, Result,
    config::Reweighting,
    losses::{Labelled, SupervisedLoss},
};

/// L_sup on the first branch and the first view, with the class weights of the epoch.
pub(super) struct Supervised {
    loss: SupervisedLoss,
    reweighting: Reweighting,
    class_counts: Vec<usize>,
    class_weights: Option<Tensor>,
}

impl Supervised {
    pub(super) fn new(loss: SupervisedLoss, reweighting: Reweighting, class_counts: &[usize]) -> Self {
        Self { loss, reweighting, class_counts: class_counts.to_vec(), class_weights: None }
    }

    /// The loss of `logits`, which `head` computed from `features`.
    pub(super) fn of(
        &self,
        head: &dyn Head,
        features: &Tensor,
        logits: &Tensor,
        targets: &Targets,
    ) -> Result<Tensor> {
        let directions = head.weight()?;
        targets.mixed(|labels| {
            self.loss.as_loss().of_batch(&Labelled {
                features,
                logits,
                labels,
                class_counts: &self.class_counts,
                class_weights: self.class_weights.as_ref(),
                directions: &directions,
                scale: head.scale(),
            })
        })
    }
}

impl Term for Supervised {
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        let weights = self.reweighting.weights(epoch.epoch, &self.class_counts);
        self.class_weights = match weights {
            Some(weights) => {
                let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
                Some(Tensor::new(weights, epoch.device)?)
            }
            None => None,
        };
        Ok(())
    }

    fn parts(&self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let missing = || Error::NoClassifier { needed_by: "a supervised loss" };
        let branch = step.branches.first().ok_or_else(missing)?;
        let logits = branch.logits.as_ref().ok_or_else(missing)?;
        let head = step.network.branch_head(0).ok_or_else(missing)?;
        let targets = step.targets.first().ok_or_else(missing)?;
        let value = self.of(head, &branch.features, logits, targets)?;
        Ok(vec![Part { name: "supervised", weight: 1.0, value }])
    }
}
