//! The configuration of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{data::DataConfig, model::ModelConfig, phase::Phase};
use crate::{Result, post_hoc::PostHoc};

/// Everything that determines the result of a run: the same experiment on the same data gives the same weights,
/// bit for bit. Directories, devices and threads are in [`RunOptions`](crate::RunOptions).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// A name for people; part of the run directory's name.
    pub name: String,
    /// Seeds initialisation, data order, augmentation and mix-up.
    pub seed: u64,
    /// Training and test images.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// When the test set is evaluated.
    pub evaluation: EvaluationConfig,
    /// What is learned, one phase after the other.
    pub phases: Vec<Phase>,
    /// Adjustment of the classifier after the last phase; absent for none. With it no epoch is called the best or
    /// selected, since none had that classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_hoc: Option<PostHoc>,
}

/// When the test set is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Evaluation interval in epochs; the last epoch of each phase is always evaluated. Does not change the weights after the
    /// last epoch, but decides which epochs can be the best or the selected one, and is part of the hash.
    #[schemars(range(min = 1))]
    pub every_epochs: usize,
}

impl Experiment {
    /// The experiment as TOML, complete: [`Settings`](crate::Settings) reads it from a file.
    ///
    /// # Errors
    ///
    /// If a number of it has no TOML, as one above `i64::MAX`; [`ValidExperiment`](crate::ValidExperiment) refuses such seeds.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// The same experiment in `epochs` epochs of its first phase. Every epoch number of every phase is scaled by the same
    /// ratio and rounded to nearest, with these exceptions: a phase has at least one epoch; a warm-up keeps its length, up to a
    /// quarter of its phase; an epoch at which re-weighting or the regularisers start stays within its phase.
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

    /// The experiment whose finished run this one can continue: without the adjustment after the last phase, or else
    /// without the last phase.
    pub fn shorter(&self) -> Option<Self> {
        let mut shorter = self.clone();
        if shorter.post_hoc.take().is_none() {
            shorter.phases.pop();
        }
        (!shorter.phases.is_empty()).then_some(shorter)
    }

    /// Hash of the experiment and the training subset: names the run. 16 hex digits of a SHA-256 over the experiment's TOML, so
    /// that field order and number format of the crate `toml` are part of it; a canonical form waits for the next format version.
    ///
    /// # Errors
    ///
    /// As [`Experiment::to_toml`].
    pub fn hash(&self, subset_hash: &str) -> Result<String> {
        let mut hashed = Self { name: String::new(), ..self.clone() };
        // Beside the subset's hash and not in the TOML, as in the runs on record.
        let backbone = hashed.model.own_backbone.take().unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{subset_hash}{backbone}", hashed.to_toml()?));
        let first = digest.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(format!("{first:016x}"))
    }
}
