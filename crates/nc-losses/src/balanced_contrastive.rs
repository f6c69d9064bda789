use candle_core::Tensor;

use crate::contrastive::{contrastive_each, others, same_class};
use crate::{PerSample, Result, check};

/// Per-sample balanced contrastive loss (BCL): every class contributes equally to the denominator, whatever its number
/// of samples in the batch.
///
/// The N embeddings and K class prototypes form one set V. A prototype ensures that every class is present and that
/// every anchor has a positive.
///
/// ```text
/// l_i = -(1/|P_i|) sum_{j in P_i} log( exp(v_i . v_j / T) / sum_k mean_{m in V_k, m != i} exp(v_i . v_m / T) )
/// P_i = { j in V, j != i: y_j = y_i },   V_k = { m in V: y_m = k }
/// ```
///
/// Anchors are the embeddings, concatenated over all views. The gradient reaches embeddings and prototypes. Both are
/// usually of norm 1; they are not normalised here. BCL adds the mean to the cross entropy of
/// [`adjusted_logits`](crate::adjusted_logits).
///
/// Shapes: `embeddings` (N, D); `labels` y (N) of `u32`; `prototypes` (K, D) of the dtype of the embeddings, one for each
/// class; `temperature` T; returns (N), each with mass 1.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, shapes or dtypes disagree, the embeddings are neither `f32` nor `f64`,
/// a label on the CPU is not below K, or the temperature is not a finite number above 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let embeddings = Tensor::new(&[[1f64, 0.0], [1.0, 0.0], [1.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 0], &Device::Cpu)?;
/// let prototypes = Tensor::new(&[[1f64, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let losses = nc_losses::balanced_contrastive_each(&embeddings, &labels, &prototypes, 0.5)?;
/// let loss = losses.mean()?.to_scalar::<f64>()?;
/// assert!((loss - 0.126_928).abs() < 1e-6); // ln(1 + e^-2): the three of class 0 count as one
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Zhu et al., "Balanced Contrastive Learning for Long-Tailed Visual Recognition", CVPR 2022, with the authors'
/// code (FlamieZhu/Balanced-Contrastive-Learning).
pub fn balanced_contrastive_each(
    embeddings: &Tensor,
    labels: &Tensor,
    prototypes: &Tensor,
    temperature: f64,
) -> Result<PerSample> {
    let (samples, dimensions) = check::matrix("embeddings", embeddings)?;
    let (classes, _) = check::matrix("prototypes", prototypes)?;
    check::shape("prototypes", prototypes, &[classes, dimensions])?;
    check::dtype("prototypes", prototypes, embeddings.dtype())?;
    check::labels(labels, samples, classes)?;
    check::temperature(temperature)?;
    let dtype = embeddings.dtype();

    let prototype_labels = Tensor::arange(0, classes as u32, labels.device())?;
    let column_labels = Tensor::cat(&[labels, &prototype_labels], 0)?;
    let others = others(samples, samples + classes, embeddings)?;
    let positives = (same_class(labels, &column_labels, dtype)? * &others)?;
    // Size of each column's class; in the anchor's own class without the anchor.
    let ones = Tensor::ones(samples + classes, dtype, embeddings.device())?;
    let sizes = Tensor::zeros(classes, dtype, embeddings.device())?.index_add(&column_labels, &ones, 0)?;
    let sizes = sizes.index_select(&column_labels, 0)?.unsqueeze(0)?.broadcast_sub(&positives)?;

    let columns = Tensor::cat(&[embeddings, prototypes], 0)?;
    let similarities = (embeddings.contiguous()?.matmul(&columns.t()?)? / temperature)?;
    contrastive_each(&similarities, &positives, &(others / sizes)?)
}
