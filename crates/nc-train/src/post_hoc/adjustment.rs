use candle_core::Tensor;
use nc_models::Classifier;

use crate::{
    Result,
    config::{Phase, ValidationMeasure},
};

/// An adjustment of a trained linear classifier.
pub(crate) trait Adjustment {
    /// Checks its settings, whose keys `key` completes.
    fn validate(&self, key: &dyn Fn(&str) -> String, trained: &Context<'_>) -> Result<()> {
        let _ = (key, trained);
        Ok(())
    }

    /// The new classifier in place of the trained `weight` (K, P) and `bias` (K).
    fn adjusted(&self, weight: &Tensor, bias: &Tensor, facts: &dyn Facts) -> Result<Classifier>;
}

/// The settings of a run that an adjustment depends on.
pub(crate) struct Context<'a> {
    pub(crate) last_phase: Option<&'a Phase>,
    /// Whether images are held out for validation.
    pub(crate) has_validation: bool,
}

/// Measurements available to an adjustment.
pub(crate) trait Facts {
    /// Training images of each class.
    fn class_counts(&self) -> &[usize];

    /// The class means (K, P) of the training features in evaluation mode.
    fn class_means(&self) -> Result<Tensor>;

    /// The images held out for validation; none without such images.
    fn validation(&self) -> Result<Option<ValidationSet>>;
}

/// Images held out for validation.
pub(crate) struct ValidationSet {
    /// (N, P).
    pub(crate) features: Tensor,
    /// (N).
    pub(crate) labels: Vec<u32>,
    /// The measure that is to be largest.
    pub(crate) chosen_by: ValidationMeasure,
}
