use candle_core::Tensor;

use crate::Result;
use crate::distance::squared_distances;

/// Centre loss: mean squared distance of the features to their class centres.
///
/// Baseline of the paper's ablation (Table 7). It weights every *sample* equally, so large classes dominate;
/// [`within_class`](crate::within_class) weights every *class* equally.
///
/// ```text
/// L = (1/B) sum_i ||h_i - c_{y_i}||^2
/// ```
///
/// without the factor 1/2 of the original publication.
///
/// Shapes: `features` h (B, P); `labels` y (B) of `u32`; `centers` c (K, P) of the dtype of the features;
/// returns a scalar.
///
/// # Errors
///
/// As [`within_class`](crate::within_class).
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[1f32, 0.0], [3.0, 0.0], [0.0, 2.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let centers = Tensor::new(&[[0f32, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let loss = nc_losses::center_loss(&features, &labels, &centers)?.to_scalar::<f32>()?;
/// assert!((loss - 11.0 / 3.0).abs() < 1e-6); // (1 + 9 + 1) / 3
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition", ECCV 2016.
pub fn center_loss(features: &Tensor, labels: &Tensor, centers: &Tensor) -> Result<Tensor> {
    squared_distances(features, labels, centers)?.mean()
}
