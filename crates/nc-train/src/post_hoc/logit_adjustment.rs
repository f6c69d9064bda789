//! Post-hoc logit adjustment (Menon et al., "Long-tail Learning via Logit Adjustment", ICLR 2021).

use candle_core::Tensor;
use nc_data::Sampler;
use nc_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adjustment::{Adjustment, Context, Facts};
use crate::{
    Result,
    config::{Phase, Reweighting},
    error::ensure,
    losses::{CrossEntropy, SupervisedLoss},
};

/// Replaces b_k by b_k - tau log(n_k / n), so that a classifier trained with cross entropy assumes a uniform prior.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PostHocAdjustment {
    /// Factor tau on the log prior.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
}

impl Adjustment for PostHocAdjustment {
    fn validate(&self, key: &dyn Fn(&str) -> String, trained: &Context<'_>) -> Result<()> {
        // Otherwise the logits are not log-posteriors under the training prior: focal loss is not a proper scoring
        // rule, and label smoothing shifts the logits.
        let plain = |phase: &Phase| {
            let plain = SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 });
            phase.objective.losses().all(|loss| *loss == plain)
                && phase.objective.diversity.is_none()
                && (phase.sampler, phase.second_sampler) == (Sampler::Uniform, None)
                && phase.objective.reweighting == Reweighting::None
        };
        ensure(trained.last_phase.is_some_and(plain), key("kind"), || {
            "post-hoc logit adjustment assumes that the last phase learned the training prior; train it with the \
             uniform sampler, no reweighting, no diversity, and cross-entropy without label smoothing"
                .into()
        })
    }

    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<Classifier> {
        let counts = facts.class_counts();
        let all: usize = counts.iter().sum();
        let prior = |&count: &usize| (self.tau * (count as f64 / all as f64).ln()) as f32;
        let priors: Vec<f32> = counts.iter().map(prior).collect();
        let bias = (bias - Tensor::new(priors, bias.device())?)?;
        Ok(Classifier { weight: weight.clone(), bias: Some(bias) })
    }
}
