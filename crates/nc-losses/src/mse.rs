use candle_core::Tensor;

use crate::{PerSample, Result, check};

/// Mean squared error between logits and one-hot labels.
///
/// Trains the classifier as a regression. On balanced data its features collapse as with cross entropy (Table 2 of the
/// paper).
///
/// ```text
/// L = 1/(B K) sum_i sum_k (z_{i,k} - [k = y_i])^2
/// ```
///
/// Shapes: `logits` z (B, K); `labels` y (B) of `u32`; returns a scalar.
///
/// # Errors
///
/// [`Error`](crate::Error) if B or K is zero, the shapes disagree, the logits are neither `f32` nor `f64`,
/// the labels are not `u32`, or a label on the CPU is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0.5f32, 0.0], [1.0, 2.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
/// let loss = nc_losses::mse(&logits, &labels)?.to_scalar::<f32>()?;
/// assert_eq!(loss, 0.5625); // (0.25 + 0 + 1 + 1) / 4
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Han, Papyan and Donoho, "Neural Collapse Under MSE Loss", ICLR 2022.
pub fn mse(logits: &Tensor, labels: &Tensor) -> Result<Tensor> {
    mse_each(logits, labels)?.mean()
}

/// Per-sample squared error: [`mse`] before the mean.
///
/// ```text
/// l_i = sum_k (z_{i,k} - [k = y_i])^2,   m_i = K
/// ```
///
/// The loss is the sum over classes and the mass is K, so that the mean divides once, by B K, as [`mse`] does; dividing
/// by K and then by B would round twice.
///
/// Shapes: as [`mse`]; returns losses and masses (B).
///
/// # Errors
///
/// As [`mse`].
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let logits = Tensor::new(&[[0.5f32, 0.0], [1.0, 2.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 1], &Device::Cpu)?;
/// let losses = nc_losses::mse_each(&logits, &labels)?;
/// assert_eq!(losses.of_each.to_vec1::<f32>()?, [0.25, 2.0]);
/// assert_eq!(losses.mean()?.to_scalar::<f32>()?, 0.5625); // (0.25 + 2) / (2 + 2)
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn mse_each(logits: &Tensor, labels: &Tensor) -> Result<PerSample> {
    let (samples, classes) = check::matrix("logits", logits)?;
    check::labels(labels, samples, classes)?;
    let one_hot = check::one_hot(labels, classes, logits.dtype())?;
    let of_each = (logits - one_hot)?.sqr()?.sum(1)?;
    let mass = (Tensor::ones(samples, logits.dtype(), logits.device())? * classes as f64)?;
    Ok(PerSample { of_each, mass: Some(mass) })
}
