use candle_core::{DType, Tensor};

use crate::{Result, check};

/// Squared Euclidean distance of each feature to the centre of its class: (B).
pub(crate) fn squared_distances(features: &Tensor, labels: &Tensor, centers: &Tensor) -> Result<Tensor> {
    Ok((features - of_samples("centers", centers, features, labels)?)?.sqr()?.sum(1)?)
}

/// Of the rows of the classes (K, P), those of the samples with `features` (B, P) and `labels` (B): (B, P).
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

/// How many of `labels` (B) each class has: (K). Counted on the labels' device: nothing waits for it.
pub(crate) fn samples_of_classes(labels: &Tensor, classes: usize, dtype: DType) -> Result<Tensor> {
    let each = Tensor::ones(labels.dims1()?, dtype, labels.device())?;
    Ok(Tensor::zeros(classes, dtype, labels.device())?.index_add(&labels.contiguous()?, &each, 0)?)
}
