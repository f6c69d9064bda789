//! A fixed simplex ETF with dot regression (Yang et al., "Inducing Neural Collapse in Imbalanced Learning: Do We Really
//! Need a Learnable Classifier at the End of Deep Neural Network?", NeurIPS 2022).

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Labelled, Loss, Method, SupervisedLoss, preset::RECIPE_L};
use crate::{HeadKind, ModelConfig, Result, validate::ensure};

/// 1/2 (<w_y, h / |h|> - 1)^2, eq. 10: turns a feature towards its class's fixed direction, and only there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DotRegression {}

impl Loss for DotRegression {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        ensure(model.head == HeadKind::Etf, key("kind"), || {
            "is dot regression, which is towards fixed directions: set model.head={kind=\"etf\"}".into()
        })
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        nc_losses::dot_regression(batch.features, batch.labels, batch.directions)
    }
}

pub(super) const ETF_DR: Method = Method {
    name: "etf-dr",
    description: "dot regression on a fixed ETF, with mix-up",
    gamma: 0.1,
    mixup: true,
    loss: SupervisedLoss::DotRegression(DotRegression {}),
    head: HeadKind::Etf,
    normalize_features: true,
    ..RECIPE_L
};

pub(super) const METHODS: &[Method] = &[ETF_DR];
