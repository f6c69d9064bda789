//! The configuration of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{data::DataConfig, model::ModelConfig, phase::Phase};
use crate::{Result, post_hoc::PostHoc};

/// Complete configuration of a run. The same experiment on the same data gives bit-identical weights. Directories,
/// devices and threads are in [`RunOptions`](crate::RunOptions).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// Display name; part of the run directory's name.
    pub name: String,
    /// Seed of initialisation, data order, augmentation and mix-up.
    pub seed: u64,
    /// Training and test images.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// Evaluation schedule.
    pub evaluation: EvaluationConfig,
    /// Training phases, in order.
    pub phases: Vec<Phase>,
    /// Post-hoc adjustment of the classifier after the last phase; absent for none. With an adjustment, no best or
    /// selected epoch is reported, because no epoch had the adjusted classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_hoc: Option<PostHoc>,
}

/// Evaluation schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Evaluation interval in epochs; the last epoch of each phase is always evaluated. The final weights do not depend
    /// on it, but the best and selected epoch do; it is part of the hash.
    #[schemars(range(min = 1))]
    pub every_epochs: usize,
}

impl Experiment {
    /// The complete experiment as TOML, as [`Settings`](crate::Settings) reads it.
    ///
    /// # Errors
    ///
    /// For numbers that TOML cannot hold, such as seeds above `i64::MAX`; [`ValidExperiment`](crate::ValidExperiment)
    /// rejects them.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// Sets the first phase to `epochs` epochs and scales every other epoch number by the same ratio, rounded to
    /// nearest. Exceptions: a phase has at least one epoch; a warm-up keeps its length, up to a quarter of its phase;
    /// the first epoch of re-weighting or the regularisers stays within its phase; `every_epochs` does not change.
    pub fn scale_epochs(&mut self, epochs: usize) {
        let Some(full) = self.phases.first().map(|phase| phase.epochs) else { return };
        let full = full.max(1) as u128;
        let scale = |number: usize| {
            let scaled = (number as u128 * epochs as u128 + full / 2) / full;
            usize::try_from(scaled).unwrap_or(usize::MAX)
        };
        if epochs as u128 == full {
            return;
        }
        for phase in &mut self.phases {
            let before = phase.epochs;
            phase.epochs = scale(before).max(1);
            phase.schedule.scale_epochs(phase.epochs, scale);
            for start in phase.objective.first_epochs_mut() {
                let within = *start < before;
                *start = scale(*start);
                if within {
                    *start = (*start).min(phase.epochs - 1);
                }
            }
        }
    }

    /// The experiment whose finished run this one can continue: the same without the post-hoc adjustment or, if there
    /// is none, without the last phase. `None` if no phase would be left.
    pub fn shorter(&self) -> Option<Self> {
        let mut shorter = self.clone();
        if shorter.post_hoc.take().is_none() {
            shorter.phases.pop();
        }
        (!shorter.phases.is_empty()).then_some(shorter)
    }

    /// Hash of the experiment and the training subset, part of the run directory's name: 16 hex digits of a SHA-256
    /// over the TOML. It depends on the field order and number format of the crate `toml` until the next format
    /// version.
    ///
    /// # Errors
    ///
    /// As [`Experiment::to_toml`].
    pub fn hash(&self, subset_hash: &str) -> Result<String> {
        let mut hashed = Self { name: String::new(), ..self.clone() };
        // Hashed after the subset's hash, outside the TOML, to keep the hashes of recorded runs.
        let backbone = hashed.model.own_backbone.take().unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{subset_hash}{backbone}", hashed.to_toml()?));
        let first = digest.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(format!("{first:016x}"))
    }
}
