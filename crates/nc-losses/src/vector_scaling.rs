use candle_core::Tensor;

use crate::class_weights::of_classes;
use crate::{Result, adjusted_logits, check};

/// Logits divided and shifted by class size, as input to a cross entropy in training: the vector-scaling (VS) loss.
///
/// ```text
/// z_k / Delta_k + tau log( n_k / sum_j n_j ),   Delta_k = (n_max / n_k)^gamma
/// ```
///
/// With gamma = 0 this is [`adjusted_logits`]. The additive term acts early in training, the factor also when the
/// training images are separated, where the additive term has no effect. A class without samples is excluded, as in
/// [`adjusted_logits`].
///
/// Shapes: `logits` z (B, K); `counts` n (K); returns (B, K).
///
/// # Errors
///
/// As [`adjusted_logits`](crate::adjusted_logits), and if `gamma` is not a finite number of at least 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::vector_scaled_logits;
///
/// let logits = Tensor::new(&[[2f32, 2.0]], &Device::Cpu)?;
/// let scaled = vector_scaled_logits(&logits, &[16, 1], 0.25, 0.0)?;
/// assert_eq!(scaled.to_vec2::<f32>()?, [[2.0, 1.0]]); // Delta = (1, 2)
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Kini et al., "Label-Imbalanced and Group-Sensitive Classification under Overparameterization", NeurIPS 2021, in
/// the parametrisation of its experiments.
pub fn vector_scaled_logits(logits: &Tensor, counts: &[usize], gamma: f64, tau: f64) -> Result<Tensor> {
    let (_, classes) = check::matrix("logits", logits)?;
    check::counts(counts, classes)?;
    check::non_negative("gamma", gamma)?;
    if gamma == 0.0 {
        return adjusted_logits(logits, counts, tau);
    }
    let largest = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let factors = counts.iter().map(|&count| (count as f64 / largest).powf(gamma)).collect();
    adjusted_logits(&logits.broadcast_mul(&of_classes(factors, logits)?)?, counts, tau)
}
