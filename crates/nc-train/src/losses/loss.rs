use candle_core::Tensor;
use nc_losses::PerSample;

use crate::{Result, config::ModelConfig, objective::Labels};

/// [`Loss::curvature`] of cross entropies of a softmax: the largest eigenvalue of diag(p) - p p^T, with p = (1/2, 1/2).
pub(super) const SOFTMAX_CURVATURE: f64 = 0.5;

/// A supervised loss of logits, features and labels.
pub(crate) trait Loss {
    /// Checks the settings; `key` completes their keys.
    fn validate(&self, key: &dyn Fn(&str) -> String, model: &ModelConfig) -> Result<()> {
        let _ = (key, model);
        Ok(())
    }

    /// The loss of each sample, without class weights.
    fn of_each(&self, batch: &Labelled<'_>) -> nc_losses::Result<PerSample>;

    /// Upper bound of the eigenvalues of the loss's Hessian by the logits (K), for any logits and labels; `None` if
    /// there is none or it is unknown.
    fn curvature(&self, classes: usize) -> Option<f64> {
        let _ = classes;
        None
    }

    /// The scalar loss of the batch: the mean over the samples, weighted by class if the batch has class weights.
    fn of_batch(&self, batch: &Labelled<'_>) -> nc_losses::Result<Tensor> {
        batch.weighted(self.of_each(batch)?)?.mean()
    }
}

/// The outputs of a network for a batch, with labels and class statistics.
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
    /// The head's scale of cosines.
    pub(crate) scale: f64,
}

impl Labelled<'_> {
    /// The losses `each` of the samples, weighted by class if the batch has class weights.
    pub(super) fn weighted(&self, each: PerSample) -> nc_losses::Result<PerSample> {
        match self.class_weights {
            Some(weights) => each.weighted(&self.labels.tensor, weights),
            None => Ok(each),
        }
    }
}
