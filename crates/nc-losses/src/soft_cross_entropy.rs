use candle_core::Tensor;

use crate::softmax::log_softmax;
use crate::{PerSample, Result, check};

/// Cross entropy against a target distribution for each sample.
///
/// For distillation and other soft targets. With one-hot rows it equals [`cross_entropy`](crate::cross_entropy).
///
/// ```text
/// L = -(1/B) sum_i sum_k q_{i,k} log p_{i,k},   p_i = softmax(z_i)
/// ```
///
/// Shapes: `logits` z (B, K); `probabilities` q (B, K) of the dtype of the logits, rows summing to 1 (not
/// checked); returns a scalar.
///
/// # Errors
///
/// [`Error`](crate::Error) if B or K is zero, the shapes or dtypes disagree, or the logits are neither `f32`
/// nor `f64`.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let targets = Tensor::new(&[[0.75f32, 0.25]], &Device::Cpu)?;
/// let loss = nc_losses::soft_cross_entropy(&logits, &targets)?.to_scalar::<f32>()?;
/// assert!((loss - 0.626_928).abs() < 1e-6); // ln(1 + e^-2) + 0.25 * 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn soft_cross_entropy(logits: &Tensor, probabilities: &Tensor) -> Result<Tensor> {
    let (samples, classes) = check::matrix("logits", logits)?;
    check::shape("probabilities", probabilities, &[samples, classes])?;
    check::dtype("probabilities", probabilities, logits.dtype())?;
    PerSample::new((log_softmax(logits)? * probabilities)?.sum(1)?.neg()?).mean()
}
