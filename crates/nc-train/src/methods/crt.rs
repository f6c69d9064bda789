//! Classifier retraining (cRT, Kang et al., "Decoupling Representation and Classifier for Long-Tailed Recognition",
//! ICLR 2020): a new classifier on the frozen backbone, every class equally often.

use super::{CrossEntropy, Part, Sets, SupervisedLoss};
use crate::{Decay, Objective, Phase, Reweighting, SamplerKind, Schedule, SgdConfig, Trains, presets::Data};

/// The second phase, in 10 epochs after 200.
pub(super) fn phase(data: &Data) -> Phase {
    Phase {
        name: "classifier".into(),
        epochs: 10,
        batch_size: data.batch_size,
        trains: Trains::NewClassifier,
        sampler: SamplerKind::ClassBalanced,
        mixup_alpha: 0.0,
        objective: Objective {
            loss: SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
            reweighting: Reweighting::None,
            neural_collapse: None,
        },
        optimizer: SgdConfig {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            clip_norm: None,
        },
        schedule: Schedule { decay: Decay::Cosine, warmup_epochs: 0 },
    }
}

pub(super) const CRT: Part = Part {
    name: "crt",
    description: "then a new classifier on the frozen backbone",
    sets: Sets::SecondPhase,
    add: |experiment, data| experiment.phases.push(phase(data)),
};

pub(super) const PARTS: &[Part] = &[CRT];
