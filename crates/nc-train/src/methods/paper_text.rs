//! The weight decay that the paper's text states, ten times that of its code.

use super::{Part, Sets};

pub(super) const PARTS: &[Part] = &[Part {
    name: "paper-text",
    description: "with the weight decay of the paper's text, 5e-3, in the first phase",
    sets: Sets::Settings,
    add: |experiment, _| {
        if let Some(phase) = experiment.phases.first_mut() {
            phase.optimizer.weight_decay = 5e-3;
        }
    },
}];
