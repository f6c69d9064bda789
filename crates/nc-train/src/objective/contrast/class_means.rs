use std::ops::Range;

use candle_core::Tensor;

use super::unit_rows::unit_rows;
use crate::{
    Result,
    objective::{
        embeddings::Embeddings,
        sum,
        targets::Labels,
        term::{Part, StepContext, Term},
    },
};

/// Cross entropy of the frequency-adjusted cosines to moving averages of the class means; the mean over the views.
///
/// ```text
/// l_i = -log( pi_y exp(e_i . c_y / T) / sum_k pi_k exp(e_i . c_k / T) ),   c_k = m_k / |m_k|
/// ```
///
/// The averages m_k move before each view's loss, and carry no gradient. The first batch with class k sets m_k.
pub(super) struct ClassMeanContrast {
    weight: f64,
    temperature: f64,
    momentum: f64,
    views: Range<usize>,
    class_counts: Vec<usize>,
    /// m, (K, D); zero rows for classes without a batch so far.
    means: Option<Tensor>,
}

const MEANS: &str = "contrast/means";

impl ClassMeanContrast {
    pub(super) fn new(
        weight: f64,
        temperature: f64,
        momentum: f64,
        views: Range<usize>,
        class_counts: &[usize],
    ) -> Self {
        Self { weight, temperature, momentum, views, class_counts: class_counts.to_vec(), means: None }
    }

    /// The averages after those of the batch.
    fn moved(&self, embeddings: &Tensor, labels: &Labels) -> Result<Tensor> {
        let (classes, dims) = (self.class_counts.len(), embeddings.dim(1)?);
        let old = match &self.means {
            Some(means) => means.clone(),
            None => Tensor::zeros((classes, dims), embeddings.dtype(), embeddings.device())?,
        };
        let present = nc_losses::class_means_by(&embeddings.detach(), &labels.host, classes)?;
        let rows = Tensor::new(present.classes, embeddings.device())?;
        let own = old.index_select(&rows, 0)?;
        // A class without an average takes the whole mean.
        let is_new = own.abs()?.sum_keepdim(1)?.eq(0.0)?.to_dtype(own.dtype())?;
        let step = ((is_new * self.momentum)? + (1.0 - self.momentum))?;
        Ok(old.index_add(&rows, &(present.means - own)?.broadcast_mul(&step)?, 0)?)
    }
}

impl Term for ClassMeanContrast {
    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let views = self.views.clone();
        let losses = views.clone().map(|view| {
            let (embeddings, labels) = Embeddings::of_view(step, view)?;
            let means = self.moved(embeddings, labels)?;
            let cosines = embeddings.matmul(&unit_rows(&means)?.t()?)?;
            self.means = Some(means);
            let logits = nc_losses::adjusted_logits(&(cosines / self.temperature)?, &self.class_counts, 1.0)?;
            Ok(nc_losses::cross_entropy(&logits, &labels.tensor)?)
        });
        let Some(sum) = sum(losses)? else { return Ok(vec![]) };
        Ok(vec![Part { name: "contrast", weight: self.weight, value: (sum / views.len() as f64)? }])
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        Ok(self.means.iter().map(|means| (MEANS.to_owned(), means.clone())).collect())
    }

    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        let known = name == MEANS;
        if known {
            self.means = Some(tensor.clone());
        }
        Ok(known)
    }
}
