use candle_core::Tensor;

use crate::cross_entropy::{log_probabilities, pick};
use crate::{Error, Result};

/// Focal loss: cross entropy in which samples that are classified well count less.
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
    if !(gamma >= 0.0 && gamma.is_finite()) {
        return Err(Error::Range {
            argument: "gamma",
            expected: "a finite number, 0 or above",
            found: gamma,
        });
    }
    let log_p = pick(&log_probabilities(logits, labels)?, labels)?;
    if gamma == 0.0 {
        return Ok(log_p.mean_all()?.neg()?);
    }
    // 1 - p may round to 0, where the slope of a root is infinite.
    let missing = (1.0 - log_p.exp()?)?.maximum(f64::from(f32::MIN_POSITIVE))?;
    Ok((missing.log()? * gamma)?.exp()?.mul(&log_p)?.mean_all()?.neg()?)
}
