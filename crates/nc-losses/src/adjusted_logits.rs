use candle_core::Tensor;

use crate::class_weights::of_classes;
use crate::{Error, Result, check};

/// Logits shifted by the log prior of each class, as input to a cross entropy in training.
///
/// ```text
/// z_k + tau log( n_k / sum_j n_j )
/// ```
///
/// A class with n_k = 0 is excluded for any tau: its logit becomes -1e30.
///
/// - With the training-set sizes n_k this is **logit adjustment** (Menon et al. 2021), and with tau = 1
///   **balanced softmax** (Ren et al. 2020): dividing by the sum changes no probability.
/// - With tau = 1 and the counts of the batch it is **ARB-Loss** (Xie et al. 2023), since
///   -log( e^{z_y} / sum_k (n_k / n_y) e^{z_k} ) is the cross entropy of z_k + log n_k.
///
/// For post-hoc adjustment of a model trained without it, use a negative tau and take the argmax.
///
/// Shapes: `logits` z (B, K); `counts` n (K); returns (B, K).
///
/// # Errors
///
/// [`Error`](crate::Error) if B or K is zero, the logits are neither `f32` nor `f64`, `counts` does not have length K
/// or is all zero, or `tau` is not finite.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{adjusted_logits, cross_entropy};
///
/// let logits = Tensor::new(&[[0f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[1u32], &Device::Cpu)?;
/// let loss = cross_entropy(&adjusted_logits(&logits, &[30, 10], 1.0)?, &labels)?.to_scalar::<f32>()?;
/// assert!((loss - 1.386_294).abs() < 1e-6); // -ln(10 / 40)
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Menon et al., "Long-tail learning via logit adjustment", ICLR 2021, eq. 10; Ren et al., "Balanced Meta-Softmax for
/// Long-Tailed Visual Recognition", NeurIPS 2020, eq. 3; Xie et al., "Neural Collapse Inspired Attraction-Repulsion-
/// Balanced Loss for Imbalanced Learning", Neurocomputing 2023.
pub fn adjusted_logits(logits: &Tensor, counts: &[usize], tau: f64) -> Result<Tensor> {
    /// Removes a class from a softmax, also in `f32`; an infinity would give NaN gradients.
    const NOTHING: f64 = -1e30;
    let (_, classes) = check::matrix("logits", logits)?;
    check::counts(counts, classes)?;
    let total: usize = counts.iter().sum();
    if total == 0 {
        return Err(Error::Range { argument: "sum of counts", expected: "a number above 0", found: 0.0 });
    }
    if !tau.is_finite() {
        return Err(Error::Range { argument: "tau", expected: "a finite number", found: tau });
    }
    // Shares instead of counts keep the scale of the logits.
    let log_share = |&count: &usize| match count {
        0 => NOTHING,
        count => tau * (count as f64 / total as f64).ln(),
    };
    Ok(logits.broadcast_add(&of_classes(counts.iter().map(log_share).collect(), logits)?)?)
}
