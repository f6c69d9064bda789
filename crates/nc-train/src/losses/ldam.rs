//! LDAM (Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019).

use nc_losses::PerSample;
use nc_models::HeadConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};
use crate::{Result, config::ModelConfig, error::ensure};

/// Cross entropy with a margin m_k proportional to n_k^(-1/4) on the true class's cosine; requires a cosine head.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ldam {
    /// Margin of the smallest class.
    #[schemars(range(min = 0, max = 1e6))]
    pub max_margin: f64,
}

impl Loss for Ldam {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        ensure(matches!(model.head, HeadConfig::Cosine { .. }), key("kind"), || {
            "LDAM's margins require a cosine classifier: set model.head={kind=\"cosine\", scale=30}".into()
        })
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        let margins = nc_losses::ldam_margins(batch.class_counts, batch.scale * self.max_margin);
        let logits = nc_losses::with_margins(batch.logits, &batch.labels.tensor, &margins)?;
        nc_losses::cross_entropy_each(&logits, &batch.labels.tensor)
    }
}
