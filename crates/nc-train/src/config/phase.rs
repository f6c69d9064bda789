use nc_data::Sampler;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{limits::MOST_EPOCHS, objective::Objective, schedule::Schedule, sgd::SgdConfig, trains::Trains};

/// A stretch of training with one set of rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name, as in `--set phases.NAME.key=value`. A new classifier is drawn by it: another name, another draw.
    pub name: String,
    /// Passes over the training subset.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub epochs: usize,
    /// Images in a batch. The last batch of an epoch may be smaller; one of fewer than 3 images is skipped, unless the epoch
    /// has no other.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: usize,
    /// Which parameters learn.
    pub trains: Trains,
    /// Which images an epoch is made of.
    pub sampler: Sampler,
    /// Mix-up: lambda is drawn from Beta(alpha, alpha) once a batch. At least 0.001, or 0 for none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e6))]
    pub mixup_alpha: f64,
    /// What is minimised.
    pub objective: Objective,
    /// How the parameters move.
    pub optimizer: SgdConfig,
    /// The learning rate over the epochs.
    pub schedule: Schedule,
}
