use candle_core::Tensor;
use nc_models::Head;

use super::{
    sum::sum,
    targets::Targets,
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{
    Error, Result,
    config::{Objective, Reweighting},
    losses::{Labelled, SupervisedLoss},
};

/// The sum of L_sup over the branches, for the first view, with the class weights of the epoch.
pub(super) struct Supervised {
    /// One for each branch, or one for all.
    losses: Vec<SupervisedLoss>,
    reweighting: Reweighting,
    class_counts: Vec<usize>,
    class_weights: Option<Tensor>,
}

impl Supervised {
    pub(super) fn new(objective: &Objective, class_counts: &[usize]) -> Self {
        Self {
            losses: objective.losses().copied().collect(),
            reweighting: objective.reweighting,
            class_counts: class_counts.to_vec(),
            class_weights: None,
        }
    }

    /// The loss of `logits`, which `head` computed from `features`, with the loss of branch `index`.
    pub(super) fn of(
        &self,
        index: usize,
        head: &dyn Head,
        features: &Tensor,
        logits: &Tensor,
        targets: &Targets,
    ) -> Result<Tensor> {
        let directions = head.weight()?;
        let loss = self.losses[index.min(self.losses.len() - 1)];
        targets.mixed(|labels| {
            loss.as_loss().of_batch(&Labelled {
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
        let targets = step.targets.first().ok_or_else(missing)?;
        let heads = step.network.heads();
        if heads.len() != step.branches.len() {
            return Err(missing());
        }
        let losses = step.branches.iter().zip(heads).enumerate().map(|(index, (branch, head))| {
            let logits = branch.logits.as_ref().ok_or_else(missing)?;
            self.of(index, head, &branch.features, logits, targets)
        });
        Ok(vec![Part { name: "supervised", weight: 1.0, value: sum(losses)?.ok_or_else(missing)? }])
    }
}
