use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    adjustment::Adjustment, logit_adjustment::PostHocAdjustment, nearest_class_mean::NearestClassMean,
    tau_normalization::TauNormalization,
};

/// Post-hoc adjustment of the linear classifier, after the last phase.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum PostHoc {
    /// Post-hoc logit adjustment: removes the training prior from the biases.
    LogitAdjustment(PostHocAdjustment),
    /// tau-normalisation of the class directions.
    TauNormalization(TauNormalization),
    /// Nearest-class-mean classifier.
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
