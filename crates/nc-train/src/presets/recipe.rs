use nc_data::Sampler;
use nc_models::HeadConfig;

use super::{
    data_sets::DataSet,
    part::{Part, Sets},
};
use crate::{
    config::{
        Branches, Decay, Diversity, ModelConfig, Objective, OptimizerConfig, Phase, Reweighting, Schedule,
        SgdConfig, Trains,
    },
    losses::SupervisedLoss,
};

/// A method: its first phase, relative to the common recipe of 200 epochs of SGD with momentum 0.9, which has 5 epochs of
/// warm-up and commonly drops at epochs 160 and 180.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) learning_rate: fn(&DataSet) -> f64,
    pub(super) weight_decay: f64,
    pub(super) nesterov: bool,
    /// Epochs of the learning-rate drops.
    pub(super) milestones: [usize; 2],
    /// Factor of each learning-rate drop.
    pub(super) gamma: f64,
    pub(super) warmup_start: f64,
    pub(super) mixup: bool,
    pub(super) sampler: Sampler,
    pub(super) second_sampler: Option<Sampler>,
    pub(super) loss: SupervisedLoss,
    pub(super) other_losses: &'static [SupervisedLoss],
    pub(super) reweighting: Reweighting,
    pub(super) diversity: Option<Diversity>,
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
            normalize_features: self.normalize_features,
            own_backbone: None,
            init_sha256: None,
        }
    }

    /// The first phase on `data`, with 200 epochs.
    pub(super) fn representation(&self, data: &DataSet) -> Phase {
        Phase {
            name: "representation".into(),
            epochs: 200,
            batch_size: data.batch_size,
            trains: Trains::Everything,
            sampler: self.sampler,
            second_sampler: self.second_sampler,
            mixup_alpha: if self.mixup { 1.0 } else { 0.0 },
            objective: Objective {
                other_losses: self.other_losses.to_vec(),
                diversity: self.diversity,
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
                decay: Decay::MultiStep { milestones: self.milestones.to_vec(), gamma: self.gamma },
                warmup_epochs: 5,
                warmup_start: self.warmup_start,
            },
        }
    }

    /// The included part that `part` would undo, if any. Regularisers may be replaced.
    pub(super) fn undone_by(&self, part: &Part) -> Option<&'static Part> {
        let undone = |own: &&Part| match part.sets {
            Sets::SecondPhase(_) => own.excludes(part),
            Sets::PostHoc(_) => own.excludes(part) && own.name != part.name,
            Sets::NeuralCollapse(_) | Sets::Network(_) | Sets::Transforms(_) | Sets::Settings(_) => false,
        };
        self.parts.iter().find(undone)
    }
}
