use candle_core::Tensor;

use crate::class_weights::of_classes;
use crate::cross_entropy::{log_probabilities, pick};
use crate::{PerSample, Result, check};

/// Cross entropy with label smoothing that grows with class size, because models are overconfident on large classes.
///
/// ```text
/// e_k = e_tail + (e_head - e_tail) sin(pi/2 (n_k - n_min) / (n_max - n_min))
/// L = (1/B) sum_i [ (1 - e_{y_i}) (-log p_{i, y_i}) + e_{y_i} (1/K) sum_k (-log p_{i,k}) ]
/// ```
///
/// If all classes have the same size, e_k = e_head.
///
/// Shapes: `logits` (B, K); `labels` y (B) of `u32`; `counts` n (K), the training samples per class; `head` and `tail`
/// in [0, 1]; returns a scalar.
///
/// # Errors
///
/// As [`cross_entropy`](crate::cross_entropy); also if `counts` does not have length K, or `head` or `tail` is out of
/// range.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let loss = nc_losses::label_aware_smoothing(&logits, &labels, &[500, 5], 0.4, 0.1)?.to_scalar::<f32>()?;
/// assert!((loss - 0.526_928).abs() < 1e-6); // 0.8 ln(1 + e^-2) + 0.2 (2 + ln(1 + e^-2))
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Zhong et al., "Improving Calibration for Long-Tailed Recognition", CVPR 2021, eq. 4 and 5, with the mass spread over
/// all K classes as in their code.
pub fn label_aware_smoothing(
    logits: &Tensor,
    labels: &Tensor,
    counts: &[usize],
    head: f64,
    tail: f64,
) -> Result<Tensor> {
    label_aware_smoothing_each(logits, labels, counts, head, tail)?.mean()
}

/// Per-sample label-aware smoothed cross entropy: [`label_aware_smoothing`] before the mean.
///
/// ```text
/// l_i = (1 - e_{y_i}) (-log p_{i, y_i}) + e_{y_i} (1/K) sum_k (-log p_{i,k})
/// ```
///
/// Shapes: as [`label_aware_smoothing`]; returns (B), each with mass 1.
///
/// # Errors
///
/// As [`label_aware_smoothing`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[2f32, 0.0], [2.0, 0.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
/// let losses = nc_losses::label_aware_smoothing_each(&logits, &labels, &[500, 5], 0.4, 0.1)?;
/// let losses = losses.of_each.to_vec1::<f32>()?;
/// assert!((losses[0] - 0.526_928).abs() < 1e-6); // 0.8 ln(1 + e^-2) + 0.2 (2 + ln(1 + e^-2))
/// assert!((losses[1] - 2.026_928).abs() < 1e-6); // 0.05 ln(1 + e^-2) + 0.95 (2 + ln(1 + e^-2))
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn label_aware_smoothing_each(
    logits: &Tensor,
    labels: &Tensor,
    counts: &[usize],
    head: f64,
    tail: f64,
) -> Result<PerSample> {
    check::fraction("head", head)?;
    check::fraction("tail", tail)?;
    let log_p = log_probabilities(logits, labels)?;
    check::counts(counts, logits.dim(1)?)?;
    let (least, most) =
        (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let smoothing = counts.iter().map(|&count| {
        let place = if most == least { 1.0 } else { (count - least) as f64 / (most - least) as f64 };
        tail + (head - tail) * (std::f64::consts::FRAC_PI_2 * place).sin()
    });
    let smoothing = of_classes(smoothing.collect(), logits)?.index_select(labels, 0)?;
    let hard = pick(&log_p, labels)?;
    let soft = (log_p.mean(1)? - &hard)?;
    Ok(PerSample::new((hard + (smoothing * soft)?)?.neg()?))
}
