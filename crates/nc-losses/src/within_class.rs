use candle_core::Tensor;

use crate::distance::squared_distances;
use crate::{ClassCount, Result};

/// Within-class regulariser L_W: pulls each class's features together (NC1).
///
/// Every class present in the batch has equal weight, whatever its number of samples, which suits long-tailed data;
/// [`center_loss`](crate::center_loss) weights samples equally instead. The gradient reaches both features and centres.
/// Used together with [`between_class`](crate::between_class).
///
/// ```text
/// L_W = (1/K) sum_k (1/n_k) sum_{i: y_i = k} ||h_i - c_k||^2
/// ```
///
/// with n_k the samples of class k in this batch. An absent class contributes 0 and its centre receives no gradient,
/// but K remains the number of all classes. This is eq. 13 of the paper, taken over a batch and divided by K as in the
/// paper's code.
///
/// Shapes: `features` h (B, P); `labels` y (B) of `u32`; `centers` c (K, P) of the dtype of the features;
/// returns a scalar.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, the shapes or dtypes disagree, the features are neither
/// `f32` nor `f64`, the labels are not `u32`, or a label on the CPU is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[1f32, 0.0], [3.0, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[0u32, 0, 1], &Device::Cpu)?;
/// let centers = Tensor::zeros((2, 2), features.dtype(), &Device::Cpu)?;
/// let loss = nc_losses::within_class(&features, &labels, &centers)?.to_scalar::<f32>()?;
/// assert_eq!(loss, 3.0); // ((1 + 9) / 2 + 1 / 1) / 2
/// # Ok::<(), nc_losses::Error>(())
/// ```
///
/// # Source
///
/// Liu et al., "Inducing Neural Collapse in Deep Long-tailed Learning", AISTATS 2023, eq. 13.
pub fn within_class(features: &Tensor, labels: &Tensor, centers: &Tensor) -> Result<Tensor> {
    squared_distances(features, labels, centers)?.by_class(labels, centers.dim(0)?, ClassCount::All)
}
