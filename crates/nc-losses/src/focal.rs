use candle_core::Tensor;

use crate::cross_entropy::cross_entropy_each;
use crate::{Error, PerSample, Result};

/// Focal loss: cross entropy with well-classified samples down-weighted.
///
/// ```text
/// L = (1/B) sum_i (1 - p_i)^gamma (-log p_i),   p_i = softmax(z_i)_{y_i}
/// ```
///
/// With gamma = 0 it is [`cross_entropy`](crate::cross_entropy).
///
/// Shapes: `logits` z (B, K); `labels` y (B) of `u32`; `gamma` at least 0; returns a scalar.
///
/// # Errors
///
/// As [`cross_entropy`](crate::cross_entropy), and [`Error::Range`](crate::Error::Range) for a `gamma` below 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = nc_losses::focal(&logits, &labels, 2.0)?.to_scalar::<f32>()?;
/// assert!((loss - 0.173_287).abs() < 1e-6); // ln(2) / 4
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 4.
pub fn focal(logits: &Tensor, labels: &Tensor, gamma: f64) -> Result<Tensor> {
    focal_each(logits, labels, gamma)?.mean()
}

/// Per-sample focal loss: [`focal`] before the mean.
///
/// ```text
/// l_i = (1 - p_i)^gamma (-log p_i),   p_i = softmax(z_i)_{y_i}
/// ```
///
/// Shapes: as [`focal`]; returns (B), each with mass 1.
///
/// # Class-balanced focal loss
///
/// The mean of the losses, [weighted](PerSample::weighted) by the [effective number](crate::effective_number) of
/// samples, is the class-balanced focal loss on a softmax:
///
/// ```text
/// L = sum_i w_{y_i} l_i / sum_i w_{y_i},   w_k proportional to (1 - beta) / (1 - beta^{n_k})
/// ```
///
/// Cui et al. instead train K sigmoids, one binary problem per class, and divide by the number of samples, not by the
/// weights. With q_{i,k} = sigmoid(z_{i,k}) for k = y_i and 1 - sigmoid(z_{i,k}) otherwise, and w scaled to sum K:
///
/// ```text
/// L = (1/B) sum_i w_{y_i} sum_k (1 - q_{i,k})^gamma (-log q_{i,k})
/// ```
///
/// The two differ in scale and in the best learning rate, so settings do not carry over.
///
/// # Errors
///
/// As [`focal`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{effective_number, focal_each};
///
/// let logits = Tensor::new(&[[0f64, 0.0], [2.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32, 0], &Device::Cpu)?;
/// let losses = focal_each(&logits, &labels, 2.0)?;
/// let of_each = losses.of_each.to_vec1::<f64>()?;
/// assert!((of_each[0] - 0.173_287).abs() < 1e-6); // ln(2) / 4
/// assert!((of_each[1] - 0.001_804).abs() < 1e-6); // (1 + e^2)^-2 ln(1 + e^-2)
///
/// let weights = Tensor::new(effective_number(&[5000, 50], 0.9999), &Device::Cpu)?;
/// let loss = losses.weighted(&labels, &weights)?.mean()?.to_scalar::<f64>()?;
/// assert!((loss - 0.171_140).abs() < 1e-6); // (1.974966 * 0.173287 + 0.025034 * 0.001804) / 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Lin et al., as [`focal`]; Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019, section
/// 4, and `focal_loss` of their code.
pub fn focal_each(logits: &Tensor, labels: &Tensor, gamma: f64) -> Result<PerSample> {
    if !(gamma >= 0.0 && gamma.is_finite()) {
        return Err(Error::Range {
            argument: "gamma",
            expected: "a finite number of at least 0",
            found: gamma,
        });
    }
    let cross_entropy = cross_entropy_each(logits, labels)?;
    if gamma == 0.0 {
        return Ok(cross_entropy);
    }
    let losses = cross_entropy.of_each;
    // 1 - p may round to 0, where the slope of a fractional power is infinite.
    let missing = (1.0 - losses.neg()?.exp()?)?.maximum(f64::from(f32::MIN_POSITIVE))?;
    Ok(PerSample::new((missing.log()? * gamma)?.exp()?.mul(&losses)?))
}
