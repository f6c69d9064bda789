//! Post-hoc adjustments of a trained linear classifier.

mod adjustment;
mod kind;
mod logit_adjustment;
mod nearest_class_mean;
mod tau_normalization;

pub use kind::PostHoc;
pub use logit_adjustment::PostHocAdjustment;
pub use nearest_class_mean::NearestClassMean;
pub use tau_normalization::TauNormalization;

pub(crate) use adjustment::{Context, Facts, ValidationSet};
