//! The configuration of a run.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{data::DataConfig, limits::MOST_EPOCHS, model::ModelConfig, phase::Phase};
use crate::{
    Result,
    post_hoc::{PostHoc, TauNormalization},
};

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
    /// Evaluation interval in epochs; the last epoch of each phase is always evaluated. The best and selected epoch depend
    /// on it, and with `keep = "best"` or `patience` the final weights; it is part of the hash.
    #[schemars(range(min = 1))]
    pub every_epochs: usize,
    /// Weights kept at the end of each phase; `best` requires validation images. A phase without a classifier
    /// (`loss_weight = 0`) keeps those of its last epoch.
    #[serde(default, skip_serializing_if = "Keep::is_last")]
    #[schemars(extend("default" = "last"))]
    pub keep: Keep,
    /// Early stopping: a phase ends at the first evaluation after this many epochs without a better validation measure;
    /// absent to train every epoch. Epochs count from the last change that the phase schedules: the end of the warm-up, a
    /// learning-rate milestone, or the start of re-weighting or of the regularisers. Requires validation images; without effect
    /// in a phase without a classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub patience: Option<usize>,
}

/// Weights kept at the end of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Keep {
    /// Those of the last epoch.
    #[default]
    Last,
    /// Those of the phase's epoch with the best validation measure, `data.validation.chosen_by`.
    Best,
}

impl Keep {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_last(&self) -> bool {
        *self == Self::Last
    }
}

impl EvaluationConfig {
    /// Evaluation every `every_epochs` epochs, without early stopping; the last epoch's weights are kept.
    pub fn every(every_epochs: usize) -> Self {
        Self { every_epochs, keep: Keep::Last, patience: None }
    }

    /// The setting by which validation images determine the weights, if any.
    pub(crate) fn decided_by_validation(&self) -> Option<&'static str> {
        match (self.keep, self.patience) {
            (Keep::Best, _) => Some("evaluation.keep"),
            (Keep::Last, Some(_)) => Some("evaluation.patience"),
            (Keep::Last, None) => None,
        }
    }
}

impl Experiment {
    /// The setting by which validation images determine weights or classifier, if any.
    pub(crate) fn decided_by_validation(&self) -> Option<&'static str> {
        let chooses_tau =
            matches!(self.post_hoc, Some(PostHoc::TauNormalization(TauNormalization { tau: None })));
        self.evaluation.decided_by_validation().or(chooses_tau.then_some("post_hoc.tau"))
    }

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
    /// the first epoch of re-weighting or the regularisers stays within its phase; a
    /// learning-rate drop does not move to the start of its phase; `every_epochs` does not change.
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
    /// is none, without the last phase. `None` if no phase would be left, or the last one left trains no classifier.
    pub fn shorter(&self) -> Option<Self> {
        let mut shorter = self.clone();
        if shorter.post_hoc.take().is_none() {
            shorter.phases.pop();
        }
        shorter.phases.last().is_some_and(Phase::trains_classifier).then_some(shorter)
    }

    /// Hash of the experiment and its images, given by [`DataSummary::hash`](nc_record::DataSummary::hash), part of the
    /// run directory's name: 16 hex digits of a SHA-256 over the TOML. It depends on the field order and number format of the crate `toml` until the next format
    /// version.
    ///
    /// # Errors
    ///
    /// As [`Experiment::to_toml`].
    pub fn hash(&self, data_hash: &str) -> Result<String> {
        let mut hashed = Self { name: String::new(), ..self.clone() };
        hashed.data.skip = None;
        // Hashed after the images' hash, outside the TOML, to keep the hashes of recorded runs.
        let backbone = hashed.model.own_backbone.take().unwrap_or_default();
        let digest = Sha256::digest(format!("{}\n{data_hash}{backbone}", hashed.to_toml()?));
        let first = digest.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(format!("{first:016x}"))
    }
}
