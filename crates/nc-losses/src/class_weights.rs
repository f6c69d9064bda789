use candle_core::{Device, Tensor};

use crate::Result;

/// Class weights from the effective number of samples, normalised to sum K.
///
/// For [`weighted_cross_entropy`](crate::weighted_cross_entropy). Interpolates between equal weights (beta = 0) and
/// [`inverse_frequency`] (beta = 1); the paper's DRW uses beta = 0.9999.
///
/// ```text
/// w_k = (1 - beta) / (1 - beta^{n_k}), scaled so that sum_k w_k = K
/// ```
///
/// `counts` holds n_k, the training samples per class. A class without samples has weight 0, and the other weights
/// still sum to K; if all classes are empty, every weight is 0. `beta` is clamped to [0, 1].
///
/// # Example
///
/// ```
/// let weights = nc_losses::effective_number(&[5000, 50], 0.9999);
/// assert!((weights[0] - 0.025_034).abs() < 1e-6);
/// assert!((weights[1] - 1.974_966).abs() < 1e-6);
/// ```
///
/// # Source
///
/// Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019.
pub fn effective_number(counts: &[usize], beta: f64) -> Vec<f64> {
    let beta = if beta > 0.0 { beta.min(1.0) } else { 0.0 };
    scaled_to_length(counts, |count| match beta {
        0.0 => 1.0,
        1.0 => 1.0 / count,
        // 1 - beta^n, without cancellation where beta^n is close to 1.
        _ => (1.0 - beta) / -(count * beta.ln()).exp_m1(),
    })
}

/// Class weights inversely proportional to the class sizes, normalised to sum K.
///
/// The simplest weights for [`weighted_cross_entropy`](crate::weighted_cross_entropy). Under high imbalance they make
/// the gradients of rare classes very large; see [`effective_number`].
///
/// ```text
/// w_k = 1 / n_k, scaled so that sum_k w_k = K
/// ```
///
/// `counts` holds n_k. Classes without samples are treated as in [`effective_number`].
///
/// # Example
///
/// ```
/// assert_eq!(nc_losses::inverse_frequency(&[30, 10]), [0.5, 1.5]);
/// assert_eq!(nc_losses::inverse_frequency(&[30, 0, 10]), [0.75, 0.0, 2.25]);
/// ```
pub fn inverse_frequency(counts: &[usize]) -> Vec<f64> {
    scaled_to_length(counts, f64::recip)
}

/// Class weights from a power of the class sizes, normalised to sum K.
///
/// Between equal weights (exponent 0) and [`inverse_frequency`] (exponent 1). From a late epoch on they are the aligned
/// deferred re-weighting (ADRW) of a model trained with logit adjustment or the vector-scaling loss.
///
/// ```text
/// w_k = n_k^{-exponent}, scaled so that sum_k w_k = K
/// ```
///
/// `counts` holds n_k. Classes without samples are treated as in [`effective_number`].
///
/// # Example
///
/// ```
/// assert_eq!(nc_losses::inverse_power(&[9, 1], 0.5), [0.5, 1.5]);
/// ```
///
/// # Source
///
/// Wang et al., "A Unified Generalization Analysis of Re-Weighting and Logit-Adjustment for Imbalanced Learning",
/// NeurIPS 2023.
pub fn inverse_power(counts: &[usize], exponent: f64) -> Vec<f64> {
    scaled_to_length(counts, |count| count.powf(-exponent))
}

fn scaled_to_length(counts: &[usize], weight: impl Fn(f64) -> f64) -> Vec<f64> {
    let raw = counts.iter().map(|&count| if count == 0 { 0.0 } else { weight(count as f64) });
    let total: f64 = raw.clone().sum();
    if total == 0.0 {
        return vec![0.0; counts.len()];
    }
    let scale = counts.len() as f64 / total;
    raw.map(|weight| weight * scale).collect()
}

/// A tensor (K) with one value per class, with the dtype and device of `like`.
pub(crate) fn of_classes(numbers: Vec<f64>, like: &Tensor) -> Result<Tensor> {
    Ok(Tensor::new(numbers, &Device::Cpu)?.to_dtype(like.dtype())?.to_device(like.device())?)
}
