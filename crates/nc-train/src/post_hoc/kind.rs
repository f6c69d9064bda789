use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    adjustment::Adjustment, logit_adjustment::PostHocAdjustment, nearest_class_mean::NearestClassMean,
    tau_normalization::TauNormalization,
};

/// Adjustment of the linear classifier after the last phase, with its settings.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PostHoc {
    /// Logits adjusted by class size.
    LogitAdjustment(PostHocAdjustment),
    /// Class directions scaled towards equal norms.
    TauNormalization(TauNormalization),
    /// The nearest class mean.
    NearestClassMean(NearestClassMean),
}

impl PostHoc {
    pub(crate) fn as_adjustment(&self) -> &dyn Adjustment {
        match self {
            Self::LogitAdjustment(adjustment) => adjustment,
            Self::TauNormalization(adjustment) => adjustment,
            Self::NearestClassMean(adjustment) => adjustment,
        }
    }
}
