use candle_core::Tensor;

use crate::{Result, check};

/// Squared Euclidean distance of each feature to the centre of its class: (B).
pub(crate) fn squared_distances(features: &Tensor, labels: &Tensor, centers: &Tensor) -> Result<Tensor> {
    let (samples, dimensions) = check::matrix("features", features)?;
    let (classes, _) = check::matrix("centers", centers)?;
    check::shape("centers", centers, &[classes, dimensions])?;
    check::dtype("centers", centers, features.dtype())?;
    check::labels(labels, samples, classes)?;
    let of_samples = centers.contiguous()?.index_select(labels, 0)?;
    Ok((features - of_samples)?.sqr()?.sum(1)?)
}
