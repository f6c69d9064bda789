use candle_core::Tensor;

use crate::{Error, Result, check};

/// Means of the classes present in a batch, from [`class_means`].
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClassMeans {
    /// Mean per present class, (C, P), in the order of `classes`; differentiable with respect to the features.
    pub means: Tensor,
    /// The present classes, ascending.
    pub classes: Vec<u32>,
    /// Number of samples of each present class in the batch.
    pub counts: Vec<usize>,
}

/// Mean feature of every class present in the batch, differentiable with respect to the features.
///
/// Use it to apply [`between_class`](crate::between_class) to the features themselves instead of learnable centres;
/// with lambda1 = 0 nothing else ties the centres to the features.
///
/// ```text
/// mu_k = (1/n_k) sum_{i: y_i = k} h_i   for every k with n_k > 0
/// ```
///
/// The result's shape depends on the present classes, so the labels are read on the host; this synchronises a CUDA or
/// Metal device.
///
/// Shapes: `features` h (B, P); `labels` y (B) of `u32`; `num_classes` K; returns C <= K means.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, the shapes disagree, the features are neither `f32` nor
/// `f64`, the labels are not `u32`, or a label is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
/// use nc_losses::{BetweenForm, between_class, class_means};
///
/// let features = Tensor::new(&[[1f32, 0.0], [3.0, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let labels = Tensor::new(&[4u32, 4, 1], &Device::Cpu)?;
/// let present = class_means(&features, &labels, 5)?;
/// assert_eq!(present.classes, [1, 4]);
/// assert_eq!(present.counts, [1, 2]);
/// assert_eq!(present.means.to_vec2::<f32>()?, [[0.0, 1.0], [2.0, 0.0]]);
/// let loss = between_class(&present.means, BetweenForm::MeanMinAngle)?;
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn class_means(features: &Tensor, labels: &Tensor, num_classes: usize) -> Result<ClassMeans> {
    let (samples, _) = check::matrix("features", features)?;
    check::shape("labels", labels, &[samples])?;
    class_means_by(features, &check::host_labels(labels, num_classes)?, num_classes)
}

/// [`class_means`] with labels on the host, which avoids a device synchronisation.
///
/// Shapes: `features` h (B, P); `labels` y, a slice of length B; `num_classes` K; returns C <= K means.
///
/// # Errors
///
/// [`Error`](crate::Error) if a dimension is zero, the number of labels is not B, the features are neither `f32` nor
/// `f64`, or a label is not below K.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let features = Tensor::new(&[[1f32, 0.0], [3.0, 0.0], [0.0, 1.0]], &Device::Cpu)?;
/// let present = nc_losses::class_means_by(&features, &[4, 4, 1], 5)?;
/// assert_eq!(present.means.to_vec2::<f32>()?, [[0.0, 1.0], [2.0, 0.0]]);
/// # Ok::<(), nc_losses::Error>(())
/// ```
pub fn class_means_by(features: &Tensor, labels: &[u32], num_classes: usize) -> Result<ClassMeans> {
    let (samples, dimensions) = check::matrix("features", features)?;
    if labels.len() != samples {
        let (expected, found) = (format!("[{samples}]"), vec![labels.len()]);
        return Err(Error::Shape { argument: "labels", expected, found });
    }
    check::below(labels, num_classes)?;

    let mut of_class = vec![0; num_classes];
    for &label in labels {
        of_class[label as usize] += 1;
    }
    let (mut classes, mut counts, mut row_of) = (Vec::new(), Vec::new(), vec![0; num_classes]);
    for (class, &count) in of_class.iter().enumerate().filter(|&(_, &count)| count > 0) {
        row_of[class] = classes.len() as u32;
        classes.push(class as u32);
        counts.push(count);
    }

    let rows: Vec<u32> = labels.iter().map(|&label| row_of[label as usize]).collect();
    let rows = Tensor::from_vec(rows, samples, features.device())?;
    let divisors: Vec<f32> = counts.iter().map(|&count| count as f32).collect();
    let divisors =
        Tensor::from_vec(divisors, (classes.len(), 1), features.device())?.to_dtype(features.dtype())?;
    let sums = Tensor::zeros((classes.len(), dimensions), features.dtype(), features.device())?.index_add(
        &rows,
        &features.contiguous()?,
        0,
    )?;
    Ok(ClassMeans { means: sums.broadcast_div(&divisors)?, classes, counts })
}
