use candle_core::Tensor;

use crate::class_weights::of_classes;
use crate::softmax::log_softmax;
use crate::{Error, Result, check};

/// Divergence of several experts from their mean, as in RIDE's distribution-aware diversity. Training maximises it:
/// subtract it from the losses of the experts, with a weight (RIDE: 0.45 on CIFAR100-LT).
///
/// ```text
/// D = T^2 (1/B) sum_i sum_e KL(p_i || q_{e,i}),   T = (1/K) sum_k T_k
///
/// p_i = softmax(m_i / T_k),   m_i = (1/E) sum_e z_{e,i},   without gradient
/// q_{e,i} = softmax(z_{e,i} / T_k)
/// ```
///
/// The temperature T_k divides the logit of class k; see [`diversity_temperatures`].
///
/// Shapes: `logits` z, one (B, K) for each of E experts; `temperatures` (K); returns a scalar. It is 0 for one expert or
/// equal ones.
///
/// # Errors
///
/// [`Error`](crate::Error) if E, B or K is zero, the shapes disagree, the logits are neither `f32` nor `f64`, or a
/// temperature is not a finite number above 0.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let experts = [Tensor::new(&[[1f32, 0.0]], &Device::Cpu)?, Tensor::new(&[[-1f32, 0.0]], &Device::Cpu)?];
/// let divergence = nc_losses::diversity(&experts, &[1.0, 1.0])?.to_scalar::<f32>()?;
/// assert!((divergence - 0.240_229).abs() < 1e-6); // 2 ln(cosh(1/2)): both differ from (1/2, 1/2)
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Wang et al., "Long-tailed Recognition by Routing Diverse Distribution-Aware Experts", ICLR 2021, eq. 3, with the
/// authors' code (frank-xwang/RIDE-LongTailRecognition), which compares each expert with the mean.
pub fn diversity(logits: &[Tensor], temperatures: &[f64]) -> Result<Tensor> {
    let Some(first) = logits.first() else {
        return Err(Error::Range { argument: "experts", expected: "at least 1", found: 0.0 });
    };
    let (samples, classes) = check::matrix("logits", first)?;
    for other in logits {
        check::shape("logits", other, &[samples, classes])?;
        check::dtype("logits", other, first.dtype())?;
    }
    if temperatures.len() != classes {
        let (expected, found) = (format!("[{classes}]"), vec![temperatures.len()]);
        return Err(Error::Shape { argument: "temperatures", expected, found });
    }
    if let Some(&found) = temperatures.iter().find(|&&t| !(t > 0.0 && t.is_finite())) {
        return Err(Error::Range { argument: "temperatures", expected: "finite numbers above 0", found });
    }
    let scale = of_classes(temperatures.iter().map(|t| t.recip()).collect(), first)?;
    let scaled = |logits: &Tensor| log_softmax(&logits.broadcast_mul(&scale)?);
    let mean = logits[1..].iter().try_fold(first.detach(), |sum, other| sum + other.detach())?;
    let mean = scaled(&(mean / logits.len() as f64)?)?;
    let probabilities = mean.exp()?;
    let divergence =
        |expert| -> Result<Tensor> { Ok((&probabilities * (&mean - scaled(expert)?)?)?.sum_all()?) };
    let mut sum = divergence(first)?;
    for other in &logits[1..] {
        sum = (sum + divergence(other)?)?;
    }
    let temperature = temperatures.iter().sum::<f64>() / classes as f64;
    Ok((sum * (temperature.powi(2) / samples as f64))?)
}

/// Temperatures of [`diversity`] by class size: 1 for the largest class and lower for small ones.
///
/// ```text
/// T_k = t_k / max_j t_j,   t_k = spread K n_k / sum_j n_j + 1 - spread
/// ```
///
/// `counts` holds n_k. RIDE uses the spread 0.05 from the epoch of deferred re-weighting, and T_k = 1, the spread 0,
/// before. A spread below 0 or above 1 is clamped. Without samples, every temperature is 1.
///
/// # Example
///
/// ```
/// let temperatures = nc_losses::diversity_temperatures(&[90, 10], 0.05);
/// assert!((temperatures[0] - 1.0).abs() < 1e-12);
/// assert!((temperatures[1] - 0.96 / 1.04).abs() < 1e-12);
/// ```
pub fn diversity_temperatures(counts: &[usize], spread: f64) -> Vec<f64> {
    let spread = spread.clamp(0.0, 1.0);
    let mean = counts.iter().sum::<usize>() as f64 / counts.len() as f64;
    let of = |&count: &usize| if mean > 0.0 { spread * count as f64 / mean + 1.0 - spread } else { 1.0 };
    let largest = counts.iter().map(of).fold(f64::MIN, f64::max);
    counts.iter().map(|count| of(count) / largest).collect()
}
