use candle_core::{DType, Tensor};

use crate::bessel::log_scaled_bessel;
use crate::{Result, check};

/// Contrastive logits of class-conditional von Mises-Fisher distributions: ProCo's closed form of the supervised
/// contrastive loss with infinitely many samples per class.
///
/// ```text
/// c_ik = g(|kappa_k u_k + f_i / T|) - g(kappa_k),   g(x) = log I_nu(x) - nu log x,   nu = D/2 - 1
/// R_k = |a_k|,   u_k = a_k / R_k,   kappa_k = D R_k / (1 - R_k^2), at most 1e5
/// ```
///
/// I_nu is the modified Bessel function of the first kind. a_k is the mean of the class's unit embeddings, usually
/// a running mean over the epoch, and kappa_k estimates the concentration of the class. The training loss is the
/// cross entropy with [logit adjustment](crate::adjusted_logits):
///
/// ```text
/// cross_entropy(adjusted_logits(von_mises_fisher_logits(f, a, T), counts, 1))
/// ```
///
/// As all kappa_k grow, the logits approach the cosine logits u_k . f_i / T. A mean of length 1 or more has
/// kappa_k = 1e5; a mean of length 0 has kappa_k = 0, the uniform distribution, whose logit depends on |f_i| only.
///
/// The computation is in `f64`, which Metal devices lack, by the uniform asymptotic expansion of I_nu; the absolute error
/// is below 1e-6. The gradient reaches the embeddings only.
///
/// Shapes: `embeddings` f (B, D), usually of norm 1; `means` a (K, D) of the dtype of the embeddings; `temperature` T;
/// returns (B, K) in the dtype of the embeddings.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, shapes or dtypes disagree, the embeddings are neither `f32` nor `f64`,
/// or the temperature is not a finite number above 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let embeddings = Tensor::new(&[[0f64, 0.0, 1.0]], &Device::Cpu)?;
/// let means = Tensor::new(&[[0f64, 0.0, 0.0], [0.0, 0.0, 1.0]], &Device::Cpu)?;
/// let logits = nc_losses::von_mises_fisher_logits(&embeddings, &means, 0.5)?.to_vec2::<f64>()?;
/// // In three dimensions g(x) is ln(sinh(x) / x) up to a constant.
/// assert!((logits[0][0] - 0.595_220).abs() < 1e-6); // ln(sinh(2) / 2): kappa = 0
/// assert!((logits[0][1] - 1.999_980).abs() < 1e-6); // 2 - ln(1 + 2e-5): kappa = 1e5
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Du et al., "Probabilistic Contrastive Learning for Long-Tailed Visual Recognition", TPAMI 2024, with the limits of
/// kappa of the authors' code (LeapLabTHU/ProCo).
pub fn von_mises_fisher_logits(embeddings: &Tensor, means: &Tensor, temperature: f64) -> Result<Tensor> {
    /// Largest concentration, as in the authors' code.
    const LARGEST: f64 = 1e5;
    /// Avoids a division by zero, where the quotient is clamped or multiplied by 0.
    const TINY: f64 = 1e-12;
    let (_, dimensions) = check::matrix("embeddings", embeddings)?;
    let (classes, _) = check::matrix("means", means)?;
    check::shape("means", means, &[classes, dimensions])?;
    check::dtype("means", means, embeddings.dtype())?;
    check::temperature(temperature)?;

    let means = means.detach().to_dtype(DType::F64)?;
    let length = means.sqr()?.sum_keepdim(1)?.sqrt()?;
    let remainder = (1.0 - length.sqr()?)?.maximum(TINY)?;
    let kappa = ((&length / remainder)? * dimensions as f64)?.minimum(LARGEST)?;
    let centers = means.broadcast_mul(&(&kappa / length.maximum(TINY)?)?)?;
    let kappa_squared = kappa.sqr()?.t()?;

    // |kappa u + f/T|^2, without a tensor (B, K, D).
    let scaled = (embeddings.to_dtype(DType::F64)? / temperature)?;
    let crossed = (scaled.matmul(&centers.t()?)? * 2.0)?;
    let squared = crossed.broadcast_add(&scaled.sqr()?.sum_keepdim(1)?)?.broadcast_add(&kappa_squared)?;

    let order = dimensions as f64 / 2.0 - 1.0;
    let logits =
        log_scaled_bessel(order, &squared)?.broadcast_sub(&log_scaled_bessel(order, &kappa_squared)?)?;
    Ok(logits.to_dtype(embeddings.dtype())?)
}
