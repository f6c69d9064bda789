use candle_core::Tensor;

use crate::softmax::log_softmax;
use crate::{PerSample, Result, check};

/// Cross entropy between logits and labels, averaged over the samples.
///
/// The supervised loss of most rows in the paper. For imbalanced training sets see [`weighted_cross_entropy`]; for soft
/// labels see [`soft_cross_entropy`](crate::soft_cross_entropy); for mix-up see [`mixed`](crate::mixed).
///
/// ```text
/// L = -(1/B) sum_i log p_{i, y_i},   p_i = softmax(z_i)
/// ```
///
/// Shapes: `logits` z (B, K); `labels` y (B) of `u32`; returns a scalar.
///
/// # Errors
///
/// [`Error`](crate::Error) if B or K is zero, the shapes disagree, the logits are neither `f32` nor `f64`,
/// the labels are not `u32`, or a label on the CPU is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0f32, 0.0], [2.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let loss = nc_losses::cross_entropy(&logits, &labels)?.to_scalar::<f32>()?;
/// assert!((loss - 0.410_038).abs() < 1e-6); // mean of ln 2 and ln(1 + e^-2)
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    cross_entropy_each(logits, labels)?.mean()
}

/// Per-sample cross entropy: [`cross_entropy`] before the mean.
///
/// ```text
/// l_i = -log p_{i, y_i},   p_i = softmax(z_i)
/// ```
///
/// Shapes: as [`cross_entropy`]; returns (B), each with mass 1.
///
/// # Errors
///
/// As [`cross_entropy`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0f32, 0.0], [2.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let losses = nc_losses::cross_entropy_each(&logits, &labels)?.of_each.to_vec1::<f32>()?;
/// assert!((losses[0] - 0.693_147).abs() < 1e-6); // ln 2
/// assert!((losses[1] - 0.126_928).abs() < 1e-6); // ln(1 + e^-2)
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn cross_entropy_each(logits: &Tensor, labels: &Tensor) -> Result<PerSample> {
    Ok(PerSample::new(pick(&log_probabilities(logits, labels)?, labels)?.neg()?))
}

/// Cross entropy with each sample weighted by its class.
///
/// Use it with [`effective_number`](crate::effective_number) or [`inverse_frequency`](crate::inverse_frequency) weights
/// for re-weighting (RW), or from a late epoch on for deferred re-weighting (DRW).
///
/// ```text
/// L = sum_i w_{y_i} l_i / sum_i w_{y_i},   l_i = -log p_{i, y_i}
/// ```
///
/// Only the ratios of the weights matter. If every sample of the batch has weight 0, the loss is 0.
///
/// Shapes: `logits` (B, K); `labels` (B) of `u32`; `class_weights` w (K), non-negative, of the dtype of the logits;
/// returns a scalar.
///
/// # Errors
///
/// As [`cross_entropy`], and if `class_weights` has another shape or dtype.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0f32, 0.0], [2.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let weights = Tensor::new(&[0.5f32, 1.5], &Device::Cpu)?;
/// let loss = nc_losses::weighted_cross_entropy(&logits, &labels, &weights)?.to_scalar::<f32>()?;
/// assert!((loss - 0.551_592).abs() < 1e-6); // (1.5 ln 2 + 0.5 ln(1 + e^-2)) / 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Cao et al., "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss", NeurIPS 2019, for
/// the deferred schedule; Cui et al., CVPR 2019, for the weights.
pub fn weighted_cross_entropy(logits: &Tensor, labels: &Tensor, class_weights: &Tensor) -> Result<Tensor> {
    weighted_smoothed_cross_entropy(logits, labels, class_weights, 0.0)
}

/// Cross entropy with label smoothing towards the uniform distribution.
///
/// Light smoothing (0.1) keeps the logits from growing without bound.
///
/// ```text
/// L = (1/B) sum_i [ (1 - s) (-log p_{i, y_i}) + s (1/K) sum_k (-log p_{i,k}) ]
/// ```
///
/// Shapes: `logits` (B, K); `labels` (B) of `u32`; `smoothing` s in [0, 1]; returns a scalar.
///
/// # Errors
///
/// As [`cross_entropy`], and [`Error::Range`](crate::Error::Range) if `smoothing` is outside [0, 1].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let loss = nc_losses::smoothed_cross_entropy(&logits, &labels, 0.1)?.to_scalar::<f32>()?;
/// assert!((loss - 0.226_928).abs() < 1e-6); // 0.95 ln(1 + e^-2) + 0.05 (2 + ln(1 + e^-2))
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016.
pub fn smoothed_cross_entropy(logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<Tensor> {
    smoothed_cross_entropy_each(logits, labels, None, smoothing)?.mean()
}

/// Cross entropy with both class weights and label smoothing, combined as in PyTorch.
///
/// Smoothing spreads mass over all classes, and the mass on a class carries that class's weight. The sum is normalised
/// by the weights of the labels; if these are all 0, the loss is 0.
///
/// ```text
/// L = [ (1 - s) sum_i w_{y_i} (-log p_{i, y_i}) + (s/K) sum_i sum_k w_k (-log p_{i,k}) ] / sum_i w_{y_i}
/// ```
///
/// Shapes: as [`weighted_cross_entropy`] and [`smoothed_cross_entropy`]; returns a scalar.
///
/// # Errors
///
/// As these two.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let weights = Tensor::new(&[0.5f32, 1.5], &Device::Cpu)?;
/// let loss = nc_losses::weighted_smoothed_cross_entropy(&logits, &labels, &weights, 0.1)?;
/// assert!((loss.to_scalar::<f32>()? - 0.439_621).abs() < 1e-6);
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// The documentation of PyTorch's `CrossEntropyLoss`.
pub fn weighted_smoothed_cross_entropy(
    logits: &Tensor,
    labels: &Tensor,
    class_weights: &Tensor,
    smoothing: f64,
) -> Result<Tensor> {
    smoothed_cross_entropy_each(logits, labels, Some(class_weights), smoothing)?.mean()
}

/// Per-sample cross entropy with label smoothing and class weights, combined as in PyTorch.
///
/// ```text
/// l_i = (1 - s) w_{y_i} (-log p_{i, y_i}) + (s/K) sum_k w_k (-log p_{i,k}),   m_i = w_{y_i}
/// ```
///
/// Smoothing spreads mass over all classes, and the mass on class k carries w_k. `class_weights` of `None` means all 1.
/// With s = 0 this is [`cross_entropy_each`], [weighted](PerSample::weighted) if weights are given.
///
/// Shapes: `logits` z (B, K); `labels` y (B) of `u32`; `class_weights` w (K), non-negative, of the dtype of the logits;
/// `smoothing` s in [0, 1]; returns losses (B), and masses if weights are given.
///
/// # Errors
///
/// As [`weighted_cross_entropy`] and [`smoothed_cross_entropy`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let weights = Tensor::new(&[0.5f32, 1.5], &Device::Cpu)?;
/// let losses = nc_losses::smoothed_cross_entropy_each(&logits, &labels, Some(&weights), 0.1)?;
/// // 0.9 * 0.5 ln(1 + e^-2) + 0.05 (0.5 ln(1 + e^-2) + 1.5 (2 + ln(1 + e^-2)))
/// assert!((losses.of_each.to_vec1::<f32>()?[0] - 0.219_810).abs() < 1e-6);
/// assert!((losses.mean()?.to_scalar::<f32>()? - 0.439_621).abs() < 1e-6); // divided by the mass 0.5
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// The documentation of PyTorch's `CrossEntropyLoss`.
pub fn smoothed_cross_entropy_each(
    logits: &Tensor,
    labels: &Tensor,
    class_weights: Option<&Tensor>,
    smoothing: f64,
) -> Result<PerSample> {
    check::fraction("smoothing", smoothing)?;
    let log_p = log_probabilities(logits, labels)?;
    let mut losses = PerSample::new(pick(&log_p, labels)?.neg()?);
    if let Some(weights) = class_weights {
        check::shape("class_weights", weights, &logits.dims()[1..])?;
        losses = losses.weighted(labels, weights)?;
    }
    if smoothing > 0.0 {
        let of_classes = match class_weights {
            Some(weights) => log_p.broadcast_mul(weights)?,
            None => log_p,
        };
        let uniform = of_classes.mean(1)?.neg()?;
        losses.of_each = ((losses.of_each * (1.0 - smoothing))? + (uniform * smoothing)?)?;
    }
    Ok(losses)
}

pub(crate) fn log_probabilities(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    let (samples, classes) = check::matrix("logits", logits)?;
    check::labels(labels, samples, classes)?;
    log_softmax(logits)
}

/// Selects the entry of each row given by its label: (B, K) -> (B).
pub(crate) fn pick(rows: &Tensor, labels: &Tensor) -> Result<Tensor> {
    Ok(rows.gather(&labels.unsqueeze(1)?.contiguous()?, 1)?.squeeze(1)?)
}
