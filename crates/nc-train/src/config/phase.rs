use std::ops::Range;

use nc_data::{Sampler, Transform};
use nc_models::Pass;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    limits::MOST_EPOCHS,
    objective::Objective,
    optimizer::OptimizerConfig,
    schedule::{Decay, Schedule, is_zero},
    trains::{FrozenBatchNorm, Trains},
};

/// A training phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Unique name, as in `--set phases.NAME.key=value`. It seeds a new classifier together with `seed`.
    pub name: String,
    /// Epochs over the training subset.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub epochs: usize,
    /// Images per batch. The last batch of an epoch may be smaller; it is skipped if it has fewer than 3 images, unless
    /// it is the only one.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: usize,
    /// Trained parameters.
    pub trains: Trains,
    /// Batch norm of a backbone that `trains` freezes.
    #[serde(default, skip_serializing_if = "FrozenBatchNorm::is_running")]
    pub batch_norm: FrozenBatchNorm,
    /// Sampler of the training images.
    pub sampler: Sampler,
    /// Sampler of a second view of each batch, with its own augmentation, for the second branch of
    /// `model.branches={kind="bilateral"}`; absent for one view. The phase then trains by cumulative learning (BBN, Zhou et
    /// al. 2020): with alpha = 1 - (e / `epochs`)^2 in epoch e, from 0, the classifier sees the features
    /// 2 [alpha f_1, (1 - alpha) f_2], and the loss is alpha L(labels of view 1) + (1 - alpha) L(labels of view 2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_sampler: Option<Sampler>,
    /// Views of each batch of images: the transforms of each view, in order, after the flip of `data.flip` and in place of
    /// the crop and the transforms of `data`. Absent for one view with those of `data`. The supervised loss uses the first
    /// view, contrastive losses the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub views: Vec<Vec<Transform>>,
    /// Mix-up: lambda is drawn from Beta(alpha, alpha) once per batch. At least 0.001; 0 disables mix-up.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e6))]
    pub mixup_alpha: f64,
    /// Radius rho of sharpness-aware minimisation (SAM, [Foret et al. 2021](https://arxiv.org/abs/2010.01412)), for any
    /// optimiser; 0 disables it. A step then takes the gradient g at the weights w, and updates w with the gradient at
    /// w + rho g / |g|. Both passes are in training mode: each updates running statistics and the class statistics of
    /// contrastive losses. Centres move once, after the step.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1e6))]
    pub sam_rho: f64,
    /// Whether SGD on a frozen backbone starts at the largest learning rate that is stable on its features, if the configured
    /// one is higher. The bound is cautious where there are many classes.
    #[serde(default = "limited", skip_serializing_if = "is_limited")]
    pub limit_learning_rate: bool,
    /// Decay d of a moving average of the weights, with the running statistics of batch norm: a <- d a + (1 - d) w after each
    /// step, from a = w after the first step of the phase. Absent for none. Evaluations report the average beside the weights,
    /// and training does not depend on it. That of the end of the last phase, whatever `evaluation.keep`, is saved as
    /// `weights-averaged.safetensors`, unless a post-hoc adjustment follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub weight_average: Option<f64>,
    /// The objective.
    pub objective: Objective,
    /// The optimiser.
    pub optimizer: OptimizerConfig,
    /// Learning-rate schedule.
    pub schedule: Schedule,
}

fn limited() -> bool {
    true
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_limited(value: &bool) -> bool {
    *value
}

impl Phase {
    /// Whether the phase trains a classifier.
    pub(crate) fn trains_classifier(&self) -> bool {
        self.objective.loss_weight > 0.0
    }

    /// Mode of the forward passes of its steps.
    pub(crate) fn pass(&self) -> Pass {
        match self.batch_norm {
            FrozenBatchNorm::Running | FrozenBatchNorm::ReEstimated => self.trains.pass(),
            FrozenBatchNorm::Batch => Pass { gradient: false, ..Pass::TRAIN },
        }
    }

    /// Views that contrastive losses act on: those after the first, or all if there is no supervised loss or one view.
    pub(crate) fn contrast_views(&self) -> Range<usize> {
        let views = self.network_views();
        usize::from(self.trains_classifier() && views > 1)..views
    }

    /// Views of each batch that the network itself sees; the queue's averaged network sees the last one.
    pub(crate) fn network_views(&self) -> usize {
        let views = self.views.len().max(1 + usize::from(self.second_sampler.is_some()));
        views - usize::from(self.objective.contrast.is_some_and(|contrast| contrast.queue().is_some()))
    }

    /// Epoch of the last scheduled change: the end of the warm-up, a learning-rate milestone, or the start of
    /// re-weighting or of the regularisers.
    pub(crate) fn last_change(&self) -> usize {
        let milestone = match &self.schedule.decay {
            Decay::MultiStep { milestones, .. } => milestones.last().copied(),
            Decay::Constant | Decay::Cosine => None,
        };
        let nc = self.objective.neural_collapse.as_ref().map(|nc| nc.start_epoch);
        let temperatures = self.objective.diversity.map(|diversity| diversity.from_epoch);
        let targets = self.objective.contrast.and_then(|contrast| Some(contrast.targets()?.from_epoch));
        let changes = [milestone, self.objective.reweighting.first_epoch(), nc, temperatures, targets];
        changes.into_iter().flatten().fold(self.schedule.warmup_epochs, usize::max)
    }
}
