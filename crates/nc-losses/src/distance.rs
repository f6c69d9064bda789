use candle_core::Tensor;

use crate::{PerSample, Result, check};

/// Squared Euclidean distance of each feature to its class centre.
pub(crate) fn squared_distances(features: &Tensor, labels: &Tensor, centers: &Tensor) -> Result<PerSample> {
    let own = of_samples("centers", centers, features, labels)?;
    Ok(PerSample::new((features - own)?.sqr()?.sum(1)?))
}

/// Gathers from the class rows (K, P) those of the samples with `features` (B, P) and `labels` (B): (B, P).
pub(crate) fn of_samples(
    argument: &'static str,
    rows: &Tensor,
    features: &Tensor,
    labels: &Tensor,
) -> Result<Tensor> {
    let (samples, dimensions) = check::matrix("features", features)?;
    let (classes, _) = check::matrix(argument, rows)?;
    check::shape(argument, rows, &[classes, dimensions])?;
    check::dtype(argument, rows, features.dtype())?;
    check::labels(labels, samples, classes)?;
    Ok(rows.contiguous()?.index_select(labels, 0)?)
}
