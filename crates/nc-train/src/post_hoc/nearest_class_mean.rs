//! The nearest-class-mean classifier (NCM; Kang et al. 2020, section 4.1). NC4 is its agreement with the trained one.

use candle_core::Tensor;
use nc_models::Classifier;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::adjustment::{Adjustment, Facts};
use crate::Result;

/// Replaces the classifier by argmin_k |h - mu_k|: w_k = mu_k and b_k = -|mu_k|^2 / 2, with the class means mu_k of the
/// training features in evaluation mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NearestClassMean {}

impl NearestClassMean {
    /// The classifier of the class `means` (K, P).
    pub(crate) fn of(means: Tensor) -> candle_core::Result<Classifier> {
        let bias = (means.sqr()?.sum(1)? * -0.5)?;
        Ok(Classifier { weight: means, bias: Some(bias) })
    }
}

impl Adjustment for NearestClassMean {
    fn adjusted(&self, _: &Tensor, _: &Tensor, facts: &dyn Facts) -> Result<Classifier> {
        Ok(Self::of(facts.class_means()?)?)
    }
}
