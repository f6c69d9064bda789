//! Logit adjustment, in training and post-hoc (Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021), and
//! balanced softmax (Ren et al., NeurIPS 2020), which is the former with tau 1.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Adjustment, Facts, Labelled, Loss, Method, Part, PostHoc, Sets, SupervisedLoss, preset::RECIPE_M,
};
use crate::{Experiment, Phase, Result, Reweighting, SamplerKind, validate::ensure};

/// Cross entropy of z_k + tau log n_k.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogitAdjustment {
    /// The factor on log n_k.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
    /// Whose n_k: the training set's, as published, or the batch's, which makes it ARB-Loss.
    pub counts: Counts,
}

/// Whose images are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Counts {
    /// The training set's.
    Training,
    /// The batch's; of a mixed batch, each label's own.
    Batch,
}

impl Loss for LogitAdjustment {
    fn takes_class_weights(&self) -> bool {
        true
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let adjusted = match self.counts {
            Counts::Training => nc_losses::adjusted_logits(batch.logits, batch.class_counts, self.tau),
            Counts::Batch => {
                let counts = counted(batch.labels, batch.class_counts.len())?;
                nc_losses::adjusted_logits(batch.logits, &counts, self.tau)
            }
        };
        batch.cross_entropy(&adjusted?, 0.0)
    }
}

/// How often each class is among `labels`.
fn counted(labels: &Tensor, classes: usize) -> nc_losses::Result<Vec<usize>> {
    nc_losses::check_labels(labels, classes)?;
    let mut counts = vec![0; classes];
    for label in labels.to_vec1::<u32>()? {
        counts[label as usize] += 1;
    }
    Ok(counts)
}

/// b_k - tau log(n_k / n) in place of b_k: a classifier trained with cross entropy decides as for balanced classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostHocAdjustment {
    /// The factor on the logarithm.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
}

impl Adjustment for PostHocAdjustment {
    fn validate(&self, key: &dyn Fn(&str) -> String, experiment: &Experiment) -> Result<()> {
        // Only then do the logits hold the training frequencies that are to be taken off.
        let plain = |phase: &Phase| {
            let probabilistic =
                matches!(phase.objective.loss, SupervisedLoss::CrossEntropy(_) | SupervisedLoss::Focal(_));
            probabilistic
                && phase.sampler == SamplerKind::Uniform
                && phase.objective.reweighting == Reweighting::None
        };
        ensure(experiment.phases.last().is_some_and(plain), key("kind"), || {
            "is logit-adjustment, which takes the frequencies of the training set off the logits, for which the last phase \
             has to learn them: with the sampler uniform, no reweighting, and cross-entropy or focal as its loss"
                .into()
        })
    }

    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<(Tensor, Tensor)> {
        let counts = facts.class_counts();
        let all: usize = counts.iter().sum();
        let prior = |&count: &usize| (self.tau * (count as f64 / all as f64).ln()) as f32;
        let priors: Vec<f32> = counts.iter().map(prior).collect();
        Ok((weight.clone(), (bias - Tensor::new(priors, bias.device())?)?))
    }
}

const TRAINED: Method = Method {
    name: "logit-adjustment",
    description: "cross entropy of logits adjusted by class size",
    loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Training }),
    mixup: false,
    ..RECIPE_M
};

const POST_HOC: Part = Part {
    name: "post-hoc-adjustment",
    description: "then logits adjusted by class size",
    sets: Sets::PostHoc,
    add: |experiment, _| {
        experiment.post_hoc = Some(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 }));
    },
};

pub(super) const METHODS: &[Method] = &[
    TRAINED,
    Method {
        name: "logit-adjustment-post-hoc",
        description: "cross entropy, logits adjusted by class size afterwards",
        mixup: false,
        parts: &[POST_HOC],
        ..RECIPE_M
    },
    Method {
        name: "balanced-softmax",
        description: "logit adjustment with mix-up: balanced softmax, and ARB with the training set's counts",
        mixup: true,
        ..TRAINED
    },
];

pub(super) const PARTS: &[Part] = &[POST_HOC];
