use std::f64::consts::PI;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::limits::MOST_EPOCHS;

/// Learning-rate schedule of a phase: a factor on the optimiser's learning rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Decay of the factor.
    pub decay: Decay,
    /// Linear warm-up: in epoch e of the first `warmup_epochs`, the factor is s + (1 - s) (e + 1) / `warmup_epochs` times
    /// that of `decay`, with s = `warmup_start`.
    #[serde(default)]
    #[schemars(range(max = MOST_EPOCHS))]
    pub warmup_epochs: usize,
    /// Factor from which the warm-up rises.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1))]
    pub warmup_start: f64,
}

// serde passes a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
pub(super) fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Learning-rate decay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Decay {
    /// Constant learning rate.
    Constant,
    /// Step decay: multiplied by `gamma` from each milestone on.
    MultiStep {
        /// Epochs, from 0, at which the learning rate drops.
        #[schemars(inner(range(max = MOST_EPOCHS)))]
        milestones: Vec<usize>,
        /// Factor of each drop.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        gamma: f64,
    },
    /// Cosine decay from 1 towards 0: (1 + cos(pi e / epochs)) / 2 in epoch e (Loshchilov and Hutter 2017).
    Cosine,
}

impl Schedule {
    /// Factor in `epoch` (from 0) of a phase with `epochs` epochs.
    ///
    /// ```
    /// use nc_train::{Decay, Schedule};
    ///
    /// let decay = Decay::MultiStep { milestones: vec![160, 180], gamma: 0.1 };
    /// let schedule = Schedule { decay, warmup_epochs: 5, warmup_start: 0.0 };
    /// assert_eq!(schedule.factor(0, 200), 0.2);
    /// assert_eq!(schedule.factor(159, 200), 1.0);
    /// assert_eq!(schedule.factor(160, 200), 0.1);
    /// ```
    pub fn factor(&self, epoch: usize, epochs: usize) -> f64 {
        let warmup = if epoch < self.warmup_epochs {
            let share = (epoch + 1) as f64 / self.warmup_epochs as f64;
            self.warmup_start + (1.0 - self.warmup_start) * share
        } else {
            1.0
        };
        let decay = match &self.decay {
            Decay::Constant => 1.0,
            Decay::MultiStep { milestones, gamma } => {
                let drops = milestones.iter().filter(|&&milestone| epoch >= milestone).count();
                gamma.powi(drops as i32)
            }
            // cos^2(x / 2) = (1 + cos(x)) / 2.
            Decay::Cosine => (PI * epoch as f64 / epochs as f64 / 2.0).cos().powi(2),
        };
        warmup * decay
    }

    /// Scales the milestones. The warm-up keeps its length, up to a quarter of the phase's new `epochs`.
    pub(crate) fn scale_epochs(&mut self, epochs: usize, scale: impl Fn(usize) -> usize) {
        self.warmup_epochs = self.warmup_epochs.min(epochs / 4);
        if let Decay::MultiStep { milestones, .. } = &mut self.decay {
            for milestone in milestones {
                // No drop moves to the start of the phase.
                *milestone = scale(*milestone).max((*milestone).min(1));
            }
        }
    }
}
