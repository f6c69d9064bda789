use candle_core::Tensor;
use nc_losses::PerSample;

use crate::{Result, config::ModelConfig, objective::Labels};

/// A supervised loss of logits, features and labels.
pub(crate) trait Loss {
    /// Checks its settings, whose keys `key` completes.
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        let _ = (key, model);
        Ok(())
    }

    /// The loss of each sample, without class weights.
    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample>;

    /// The loss of the batch, a scalar: the mean over the samples, weighted by class where the batch has class weights.
    fn of_batch(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        batch.weighted(self.of_each(batch)?)?.mean()
    }
}

/// The outputs of a network for a batch, with labels and facts about the classes.
#[derive(Clone, Copy)]
pub(crate) struct Labelled<'a> {
    pub(crate) features: &'a Tensor,
    pub(crate) logits: &'a Tensor,
    pub(crate) labels: &'a Labels,
    /// Training images of each class.
    pub(crate) class_counts: &'a [usize],
    pub(crate) class_weights: Option<&'a Tensor>,
    /// The head's class directions, (K, P).
    pub(crate) directions: &'a Tensor,
    /// The head's factor on cosines.
    pub(crate) scale: f64,
}

impl Labelled<'_> {
    /// `each`, the losses of the batch's samples, weighted by class where the batch has class weights.
    pub(super) fn weighted(&self, each: PerSample) -> nc_losses::Result<PerSample> {
        match self.class_weights {
            Some(weights) => each.weighted(&self.labels.tensor, weights),
            None => Ok(each),
        }
    }
}
