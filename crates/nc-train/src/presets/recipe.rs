use nc_data::{Sampler, Transform};
use nc_models::{HeadConfig, ProjectionConfig};

use super::{
    data_sets::{DataSet, Photographs},
    part::{Part, Sets},
};
use crate::{
    config::{
        Branches, Contrast, Decay, Diversity, FrozenBatchNorm, LossViews, ModelConfig, Objective,
        OptimizerConfig, Phase, Precision, Reweighting, Schedule, SgdConfig, Trains,
    },
    losses::SupervisedLoss,
};

/// A method: its first phase, relative to the common recipe of 200 epochs of SGD with momentum 0.9, which has 5 epochs of
/// warm-up and commonly drops at epochs 160 and 180.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    /// Epochs where the data set's recipe has 200.
    pub(super) epochs: usize,
    /// Images per batch, relative to the data set's.
    pub(super) batch_factor: usize,
    pub(super) learning_rate: fn(&DataSet) -> f64,
    pub(super) weight_decay: f64,
    pub(super) nesterov: bool,
    /// Epochs of the learning-rate drops; `None` for a cosine schedule.
    pub(super) milestones: Option<[usize; 2]>,
    /// Factor of each learning-rate drop.
    pub(super) gamma: f64,
    pub(super) warmup_epochs: usize,
    pub(super) warmup_start: f64,
    /// Views in place of the one of the data set.
    pub(super) views: fn(&DataSet) -> Vec<Vec<Transform>>,
    /// Transforms of small images after crop and flip.
    pub(super) transforms: &'static [Transform],
    pub(super) mixup: bool,
    pub(super) sampler: Sampler,
    pub(super) second_sampler: Option<Sampler>,
    pub(super) loss: SupervisedLoss,
    pub(super) loss_weight: f64,
    pub(super) loss_views: LossViews,
    pub(super) other_losses: &'static [SupervisedLoss],
    pub(super) reweighting: Reweighting,
    pub(super) diversity: fn(&DataSet) -> Option<Diversity>,
    pub(super) contrast: Option<Contrast>,
    pub(super) projection: fn(&DataSet) -> Option<ProjectionConfig>,
    pub(super) branches: fn(&DataSet) -> Option<Branches>,
    pub(super) head: HeadConfig,
    pub(super) normalize_features: bool,
    /// Parts included in the method.
    pub(super) parts: &'static [Part],
}

impl Method {
    /// The network for `data`.
    pub(super) fn model(&self, data: &DataSet) -> ModelConfig {
        let wide = data.wide_backbone.filter(|_| self.head == HeadConfig::Etf);
        ModelConfig {
            backbone: wide.unwrap_or(data.backbone),
            branches: (self.branches)(data),
            head: self.head,
            projection: (self.projection)(data),
            normalize_features: self.normalize_features,
            precision: Precision::F32,
            own_backbone: None,
            init_sha256: None,
        }
    }

    /// Settings of photographs that replace the method's. Methods with a schedule of their own, a cosine, keep theirs.
    fn photographs(&self, data: &DataSet) -> Option<Photographs> {
        data.photographs.filter(|_| self.milestones.is_some())
    }

    /// Transforms of training images of `data` after crop and flip.
    pub(super) fn transforms(&self, data: &DataSet) -> Vec<Transform> {
        data.photographs
            .map_or_else(|| self.transforms.to_vec(), |photographs| photographs.transforms(self.mixup))
    }

    /// The first phase on `data`, where its recipe has 200 epochs.
    pub(super) fn representation(&self, data: &DataSet) -> Phase {
        let mixup_alpha = data.photographs.map_or(1.0, |photographs| photographs.mixup_alpha);
        let mut phase = Phase {
            name: "representation".into(),
            epochs: self.epochs,
            batch_size: self.batch_factor * data.batch_size,
            trains: Trains::Everything,
            batch_norm: FrozenBatchNorm::Running,
            sampler: self.sampler,
            second_sampler: self.second_sampler,
            views: (self.views)(data),
            mixup_alpha: if self.mixup { mixup_alpha } else { 0.0 },
            sam_rho: 0.0,
            limit_learning_rate: true,
            weight_average: None,
            objective: Objective {
                other_losses: self.other_losses.to_vec(),
                diversity: (self.diversity)(data),
                loss_weight: self.loss_weight,
                loss_views: self.loss_views,
                contrast: self.contrast,
                ..Objective::supervised(self.loss, self.reweighting)
            },
            optimizer: OptimizerConfig::Sgd(SgdConfig {
                learning_rate: (self.learning_rate)(data),
                momentum: 0.9,
                nesterov: self.nesterov,
                weight_decay: self.weight_decay,
                clip_norm: None,
            }),
            schedule: Schedule {
                decay: match self.milestones {
                    Some(milestones) => {
                        Decay::MultiStep { milestones: milestones.to_vec(), gamma: self.gamma }
                    }
                    None => Decay::Cosine,
                },
                warmup_epochs: self.warmup_epochs,
                warmup_start: self.warmup_start,
            },
        };
        if let Some(photographs) = self.photographs(data) {
            phase.batch_size = photographs.batch_size;
            *phase.optimizer.learning_rate_mut() = photographs.learning_rate;
            *phase.optimizer.weight_decay_mut() = photographs.weight_decay;
            phase.schedule = Schedule { decay: Decay::Cosine, warmup_epochs: 0, warmup_start: 0.0 };
        }
        phase
    }

    /// The method's name if `part` would replace an option of the method. Regularisers, network and, unless the method has
    /// views of its own, transforms may be replaced.
    pub(super) fn undone_by(&self, part: &Part, data: &DataSet) -> Option<&'static str> {
        let replaces = |own: &Part| match part.sets {
            Sets::SecondPhase(_) => own.excludes(part),
            Sets::PostHoc(_) => own.excludes(part) && own.name != part.name,
            Sets::Reweighting(_) | Sets::Settings(_) | Sets::EverySettings(_) => own.name == part.name,
            Sets::NeuralCollapse(_) | Sets::Network(_) | Sets::Transforms(_) => false,
        };
        let replaced = match part.sets {
            Sets::Transforms(_) => !(self.views)(data).is_empty(),
            Sets::Reweighting(_) => self.reweighting != Reweighting::None,
            _ => false,
        };
        (replaced || self.parts.iter().any(replaces)).then_some(self.name)
    }
}
