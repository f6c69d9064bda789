//! Dot regression towards the directions of a fixed simplex ETF (Yang et al., "Inducing Neural Collapse in Imbalanced
//! Learning: Do We Really Need a Learnable Classifier at the End of Deep Neural Network?", NeurIPS 2022).

use candle_core::Tensor;
use nc_losses::{ClassCount, PerSample};
use nc_models::HeadConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss};
use crate::{Result, config::ModelConfig, error::ensure};

/// 1/2 (<w_y, h / |h|> - 1)^2 (eq. 10). Attracts a feature to its class's fixed direction, without repulsion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DotRegression {}

impl Loss for DotRegression {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        ensure(model.head == HeadConfig::Etf, key("kind"), || {
            "dot regression requires a fixed classifier: set model.head={kind=\"etf\"}".into()
        })
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        nc_losses::dot_regression_each(batch.features, &batch.labels.tensor, batch.directions)
    }
}

/// 1/2 (<w_y, h / |h|> - 1)^2, averaged over the images of each class in the batch, then over those classes. This is
/// the default of the authors' code, where the direction of class k has length sqrt(B / (C n_k)) for a batch of B
/// images and C classes, n_k of them in class k.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassBalancedDotRegression {}

impl Loss for ClassBalancedDotRegression {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        DotRegression {}.validate(key, model)
    }

    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample> {
        DotRegression {}.of_each(batch)
    }

    /// Class weights apply to the mean over the classes of the batch.
    fn of_batch(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        let (each, labels) = (self.of_each(batch)?, &batch.labels.tensor);
        let Some(weights) = batch.class_weights else {
            return each.by_class(labels, batch.class_counts.len(), ClassCount::Present);
        };
        let counts = batch.labels.counts(batch.class_counts.len()).into_iter();
        let counts: Vec<f32> = counts.map(|count| count.max(1) as f32).collect();
        let of_images = weights.div(&Tensor::new(counts, weights.device())?)?;
        each.weighted(labels, &of_images)?.mean()
    }
}
