//! Learnable weight scaling (LWS, Kang et al. 2020, section 4.2): a factor on each logit, learnt on the frozen backbone
//! and classifier with every class equally often.

use super::{Part, Sets, crt};
use crate::{Phase, Trains};

pub(super) const PARTS: &[Part] = &[Part {
    name: "lws",
    description: "then a factor on each logit, on frozen backbone and classifier",
    sets: Sets::SecondPhase,
    add: |experiment, data| {
        let phase = Phase { trains: Trains::LogitScale, epochs: 5, ..crt::phase(data) };
        experiment.phases.push(phase);
    },
}];
