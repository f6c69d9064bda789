use candle_core::Tensor;
use nc_models::Classifier;

use crate::{
    Result,
    config::{Phase, ValidationMeasure},
};

/// An adjustment of a trained linear classifier.
pub(crate) trait Adjustment {
    /// Checks the settings; `key` completes their keys.
    fn validate(&self, key: &dyn Fn(&str) -> String, trained: &Context<'_>) -> Result<()> {
        let _ = (key, trained);
        Ok(())
    }

    /// The adjusted classifier for the trained `weight` (K, P) and `bias` (K).
    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<Classifier>;
}

/// The settings of a run that an adjustment depends on.
pub(crate) struct Context<'a> {
    pub(crate) last_phase: Option<&'a Phase>,
    /// Whether there are validation images.
    pub(crate) has_validation: bool,
}

/// Measurements available to an adjustment.
pub(crate) trait Facts {
    /// Training images of each class.
    fn class_counts(&self) -> &[usize];

    /// The class means (K, P) of the training features in evaluation mode.
    fn class_means(&self) -> Result<Tensor>;

    /// Features of the validation images; `None` without validation images.
    fn validation(&self) -> Result<Option<ValidationSet>>;
}

/// Validation images.
pub(crate) struct ValidationSet {
    /// (N, P).
    pub(crate) features: Tensor,
    /// (N).
    pub(crate) labels: Vec<u32>,
    /// Measure to maximise.
    pub(crate) chosen_by: ValidationMeasure,
}
