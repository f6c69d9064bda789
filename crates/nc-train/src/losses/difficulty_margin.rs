//! Difficulty-aware balancing margins (DBM, Son et al., "Difficulty-aware Balancing Margin Loss for Long-tailed
//! Recognition", AAAI 2025).

use nc_losses::{DifficultSamples, PerSample};
use nc_models::HeadConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};
use crate::{Result, config::ModelConfig, error::ensure};

/// Cross entropy of s cos(theta_k) + tau log(n_k / sum n), with a margin proportional to 1/n_k on the angle to the true class,
/// which grows with that angle for difficult samples; requires a cosine head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DifficultyMargin {
    /// Margin of the smallest class, in radians; 0 for none.
    #[schemars(range(min = 0, max = 3))]
    pub max_margin: f64,
    /// Samples whose margin grows with their angle.
    #[serde(default)]
    pub difficult: DifficultSamples,
    /// Factor tau on log n_k: 1 for balanced softmax, 0 for cross entropy.
    #[schemars(range(min = 0, max = 1e6))]
    pub tau: f64,
}

impl Loss for DifficultyMargin {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        ensure(matches!(model.head, HeadConfig::Cosine { .. }), key("kind"), || {
            "angular margins require a cosine classifier: set model.head={kind=\"cosine\", scale=32}".into()
        })
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let Self { max_margin, difficult, tau } = *self;
        let labels = &batch.labels.tensor;
        let margins = nc_losses::angular_margins(batch.class_counts, max_margin);
        let cosines = (batch.logits / batch.scale)?;
        let lowered = nc_losses::with_angular_margins(&cosines, labels, &margins, difficult)?;
        let adjusted = nc_losses::adjusted_logits(&(lowered * batch.scale)?, batch.class_counts, tau)?;
        nc_losses::cross_entropy_each(&adjusted, labels)
    }
}
