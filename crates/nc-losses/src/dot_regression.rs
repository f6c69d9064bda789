use candle_core::Tensor;

use crate::distance::of_samples;
use crate::{ClassCount, PerSample, Result};

/// Dot regression: pulls each feature towards its class's fixed direction, without pushing it away from the others.
///
/// ```text
/// L = (1/B) sum_i 1/2 (<w_{y_i}, h_i / |h_i|> - 1)^2
/// ```
///
/// The classifier's rows w_k are unit vectors, usually of a fixed simplex ETF. Cross entropy would also push a feature
/// away from the other classes' directions, and this push dominates for classes with few samples.
///
/// Shapes: `features` h (B, P); `labels` y (B) of `u32`; `weight` w (K, P), rows of norm 1, of the dtype of the
/// features; returns a scalar. A feature of norm 0 has no direction: its term is 1/2 with gradient 0.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, shapes or dtypes disagree, or a label on the CPU is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[3f32, 4.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32, 0.0], [-1.0, 0.0]], &Device::Cpu)?;
/// let loss = nc_losses::dot_regression(&features, &labels, &weight)?.to_scalar::<f32>()?;
/// assert!((loss - 0.08).abs() < 1e-6); // (3/5 - 1)^2 / 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Yang et al., "Inducing Neural Collapse in Imbalanced Learning: Do We Really Need a Learnable Classifier at the End
/// of Deep Neural Network?", NeurIPS 2022, eq. 10.
pub fn dot_regression(features: &Tensor, labels: &Tensor, weight: &Tensor) -> Result<Tensor> {
    dot_regression_each(features, labels, weight)?.mean()
}

/// Class-balanced dot regression: every class in the batch has equal weight, whatever its number of samples.
///
/// ```text
/// L = (1/C) sum_{k in the batch} (1/n_k) sum_{i: y_i = k} 1/2 (<w_k, h_i / |h_i|> - 1)^2
/// ```
///
/// with n_k the samples of class k in this batch and C the number of classes present. [`dot_regression`] averages over
/// samples instead. This is the default of the authors' code in an equivalent form, in which the vector of class k has
/// length sqrt(B / (C n_k)) and the target of the product is that length.
///
/// Shapes and features of norm 0: as [`dot_regression`].
///
/// # Errors
///
/// As [`dot_regression`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[3f32, 4.0], [3.0, 4.0], [0.0, 1.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f32, 0.0], [-1.0, 0.0]], &Device::Cpu)?;
/// let loss = nc_losses::class_balanced_dot_regression(&features, &labels, &weight)?.to_scalar::<f32>()?;
/// assert!((loss - 0.29).abs() < 1e-6); // (0.08 + 0.5) / 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Yang et al., as above; the lengths are `produce_Ew` of their code.
pub fn class_balanced_dot_regression(features: &Tensor, labels: &Tensor, weight: &Tensor) -> Result<Tensor> {
    dot_regression_each(features, labels, weight)?.by_class(labels, weight.dim(0)?, ClassCount::Present)
}

/// Per-sample dot regression: [`dot_regression`] before the mean.
///
/// ```text
/// l_i = 1/2 (<w_{y_i}, h_i / |h_i|> - 1)^2
/// ```
///
/// Shapes and features of norm 0: as [`dot_regression`]; returns (B), each with mass 1.
///
/// # Errors
///
/// As [`dot_regression`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[3f64, 4.0], [0.0, 1.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
/// let weight = Tensor::new(&[[1f64, 0.0], [-1.0, 0.0]], &Device::Cpu)?;
/// let losses = nc_losses::dot_regression_each(&features, &labels, &weight)?.of_each.to_vec1::<f64>()?;
/// assert!((losses[0] - 0.08).abs() < 1e-12); // (3/5 - 1)^2 / 2
/// assert_eq!(losses[1], 0.5);
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn dot_regression_each(features: &Tensor, labels: &Tensor, weight: &Tensor) -> Result<PerSample> {
    let own = of_samples("weight", weight, features, labels)?;
    let squared = features.sqr()?.sum(1)?;
    let has_direction = squared.detach().ge(f64::from(f32::MIN_POSITIVE))?;
    let norm = has_direction.where_cond(&squared, &squared.ones_like()?.detach())?.sqrt()?;
    let along = (features * own)?.sum(1)?;
    let cosine = has_direction.where_cond(&along, &along.zeros_like()?.detach())?.div(&norm)?;
    Ok(PerSample::new(((cosine - 1.0)?.sqr()? * 0.5)?))
}
