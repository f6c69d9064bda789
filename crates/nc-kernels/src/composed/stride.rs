use candle_core::{Result, Tensor};

/// Every `stride`-th pixel of every `stride`-th row of (N, C, H, W), starting with the first.
pub(super) fn subsample(x: &Tensor, stride: usize) -> Result<Tensor> {
    let mut x = x.clone();
    for dim in [2, 3] {
        x = every_nth(&x, dim, stride)?;
    }
    Ok(x)
}

/// Every `step`-th index of dimension `dim`, by reshaping, so that the gradient needs no scatter.
pub(super) fn every_nth(x: &Tensor, dim: usize, step: usize) -> Result<Tensor> {
    if step == 1 {
        return Ok(x.clone());
    }
    let mut dims = x.dims().to_vec();
    // A step beyond the size also selects the first index only.
    let step = step.min(dims[dim].max(1));
    let count = dims[dim].div_ceil(step);
    let x = x.pad_with_zeros(dim, 0, count * step - dims[dim])?;
    dims[dim] = count;
    let result = dims.clone();
    dims.insert(dim + 1, step);
    x.reshape(dims)?.narrow(dim + 1, 0, 1)?.reshape(result)
}
