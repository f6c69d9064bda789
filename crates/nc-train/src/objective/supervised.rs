use candle_core::Tensor;
use nc_models::{Branch, Head};

use super::{
    sum::sum,
    targets::Targets,
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{
    Error, Result,
    config::{LossViews, Objective, Reweighting},
    losses::{Labelled, SupervisedLoss},
};

/// The sum of L_sup over the experts, for the first view or as the mean over all, with the class weights of the epoch.
pub(super) struct Supervised {
    /// Weight in the total.
    pub(super) weight: f64,
    views: LossViews,
    /// One for each branch, or one for all.
    losses: Vec<SupervisedLoss>,
    reweighting: Reweighting,
    class_counts: Vec<usize>,
    class_weights: Option<Tensor>,
}

impl Supervised {
    pub(super) fn new(objective: &Objective, class_counts: &[usize]) -> Self {
        Self {
            weight: objective.loss_weight,
            views: objective.loss_views,
            losses: objective.losses().copied().collect(),
            reweighting: objective.reweighting,
            class_counts: class_counts.to_vec(),
            class_weights: None,
        }
    }

    /// The sum over the experts of one view.
    fn of_view(&self, branches: &[Branch], heads: &[&dyn Head], targets: Option<&Targets>) -> Result<Tensor> {
        let targets = targets.ok_or_else(missing)?;
        if heads.len() != branches.len() {
            return Err(missing());
        }
        let losses = branches.iter().zip(heads).enumerate().map(|(index, (branch, head))| {
            let logits = branch.logits.as_ref().ok_or_else(missing)?;
            self.of(index, *head, &branch.features, logits, targets)
        });
        sum(losses)?.ok_or_else(missing)
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

fn missing() -> Error {
    Error::NoClassifier { needed_by: "a supervised loss" }
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

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let heads = step.network.heads();
        let value = match self.views {
            LossViews::First => self.of_view(step.first_view(), &heads, step.targets.first())?,
            LossViews::All => {
                let views = step.branches.chunks_exact(heads.len().max(1)).zip(step.targets);
                let number = views.len();
                let losses = views.map(|(branches, targets)| self.of_view(branches, &heads, Some(targets)));
                (sum(losses)?.ok_or_else(missing)? / number as f64)?
            }
        };
        Ok(vec![Part { name: "supervised", weight: self.weight, value }])
    }
}
