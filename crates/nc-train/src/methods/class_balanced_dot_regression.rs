//! A fixed simplex ETF with dot regression in which every class of a batch counts the same, as the code of Yang et al. has
//! it unless told otherwise: there the direction of class k is sqrt(B / (C n_k)) long, with n_k of the batch's B images
//! and C classes in it.

use candle_core::Tensor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{DotRegression, Labelled, Loss, Method, SupervisedLoss, dot_regression::ETF_DR};
use crate::{ModelConfig, Result};

/// 1/2 (<w_y, h / |h|> - 1)^2, averaged over the images of each class in the batch, then over those classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClassBalancedDotRegression {}

impl Loss for ClassBalancedDotRegression {
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        DotRegression {}.validate(key, model)
    }

    fn of(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        nc_losses::class_balanced_dot_regression(batch.features, batch.labels, batch.directions)
    }
}

pub(super) const METHODS: &[Method] = &[Method {
    name: "etf-dr-class-balanced",
    description: "dot regression on a fixed ETF, each class of a batch counting the same, with mix-up",
    loss: SupervisedLoss::ClassBalancedDotRegression(ClassBalancedDotRegression {}),
    ..ETF_DR
}];
