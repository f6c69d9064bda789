use super::{CrossEntropy, SupervisedLoss};
use crate::{
    Decay, Experiment, HeadKind, ModelConfig, Objective, Phase, Reweighting, SamplerKind, Schedule,
    SgdConfig, Trains, presets::Data,
};

/// A first phase, as what it changes in the common recipe: 200 epochs, SGD with momentum 0.9, learning rate 0.1 after 5
/// epochs of warm-up, dropped at epochs 160 and 180.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(super) weight_decay: f64,
    /// The factor of each drop of the learning rate.
    pub(super) gamma: f64,
    pub(super) mixup: bool,
    pub(super) sampler: SamplerKind,
    pub(super) loss: SupervisedLoss,
    pub(super) reweighting: Reweighting,
    pub(super) head: HeadKind,
    pub(super) normalize_features: bool,
    /// The parts it comes with.
    pub(crate) parts: &'static [Part],
}

/// Something that can be added to a method.
#[derive(Clone, Copy)]
pub(crate) struct Part {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    pub(crate) sets: Sets,
    pub(crate) add: fn(&mut Experiment, &Data),
}

/// What a part sets: of two that set the same, the second would undo the first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sets {
    /// The regularisers of the first phase.
    NeuralCollapse,
    /// A second phase.
    SecondPhase,
    /// What is done to the classifier in the end.
    PostHoc,
    /// The network.
    Network,
    /// Settings of what is there.
    Settings,
}

/// Cross entropy in LDAM's recipe (Cao et al. 2019).
pub(super) const RECIPE_L: Method = Method {
    name: "ce",
    description: "cross entropy",
    weight_decay: 2e-4,
    gamma: 0.01,
    mixup: false,
    sampler: SamplerKind::Uniform,
    loss: SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
    reweighting: Reweighting::None,
    head: HeadKind::Linear,
    normalize_features: false,
    parts: &[],
};

/// Cross entropy in the recipe of the mix-up methods (MiSLAS, Zhong et al. 2021, and the paper).
pub(super) const RECIPE_M: Method = Method {
    name: "ce-mixup",
    description: "cross entropy with mix-up",
    weight_decay: 5e-4,
    gamma: 0.1,
    mixup: true,
    ..RECIPE_L
};

impl Method {
    /// The network for `data`.
    pub(crate) fn model(&self, data: &Data) -> ModelConfig {
        let wide = data.wide_backbone.filter(|_| self.head == HeadKind::Etf);
        ModelConfig {
            backbone: wide.unwrap_or(data.backbone),
            head: self.head,
            normalize_features: self.normalize_features,
        }
    }

    /// The first phase on `data`, in 200 epochs.
    pub(crate) fn representation(&self, data: &Data) -> Phase {
        Phase {
            name: "representation".into(),
            epochs: 200,
            batch_size: data.batch_size,
            trains: Trains::Everything,
            sampler: self.sampler,
            mixup_alpha: if self.mixup { 1.0 } else { 0.0 },
            objective: Objective { loss: self.loss, reweighting: self.reweighting, neural_collapse: None },
            optimizer: SgdConfig {
                learning_rate: 0.1,
                momentum: 0.9,
                nesterov: false,
                weight_decay: self.weight_decay,
                clip_norm: None,
            },
            schedule: Schedule {
                decay: Decay::MultiStep { milestones: vec![160, 180], gamma: self.gamma },
                warmup_epochs: 5,
            },
        }
    }

    /// The part it comes with that `part` must not undo. Other regularisers take the place of its own.
    pub(crate) fn undone_by(&self, part: &Part) -> Option<&'static Part> {
        let undone = |own: &&Part| match part.sets {
            Sets::SecondPhase => own.sets == part.sets,
            Sets::PostHoc => own.sets == part.sets && own.name != part.name,
            Sets::NeuralCollapse | Sets::Network | Sets::Settings => false,
        };
        self.parts.iter().find(undone)
    }
}
