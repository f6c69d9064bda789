//! The layers out of Candle's own operations on NCHW tensors: the path of other devices than the CPU, of other number
//! types than f32 and of strides above 2, and an independent answer to test the vector kernels against.

mod batch_norm;
mod conv;
mod pool;

use candle_core::{Result, Tensor};

pub(crate) use conv::conv2d;
pub(crate) use pool::max_pool;

use crate::{ConvNorm, Mode, Shortcut};

/// relu?(batch_norm(conv(x)) + shortcut).
pub(crate) fn conv_norm(
    layer: &ConvNorm<'_>,
    x: &Tensor,
    shortcut: Shortcut<'_>,
    relu: bool,
    mode: Mode,
) -> Result<Tensor> {
    let y = conv2d(x, layer.weight, layer.shape)?;
    let y = batch_norm::forward(layer, &y, mode)?;
    let y = match shortcut {
        Shortcut::None => y,
        Shortcut::Identity(map) => (y + map.to_tensor()?)?,
        Shortcut::Subsample(map, stride) => {
            let channels = (layer.shape.out_channels - map.dims().1) / 2;
            let sub = subsample(&map.to_tensor()?, stride)?;
            (y + sub.pad_with_zeros(1, channels, channels)?)?
        }
    };
    if relu { positive_part(&y) } else { Ok(y) }
}

/// max(x, 0), of which NaN is NaN, with gradient 0 at 0 (Candle's own has 1 there).
fn positive_part(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?.detach();
    x.le(&zeros)?.where_cond(&zeros, x)
}

/// Every `stride`-th pixel of every `stride`-th row of (N, C, H, W), from the first on.
fn subsample(x: &Tensor, stride: usize) -> Result<Tensor> {
    let mut x = x.clone();
    for dim in [2, 3] {
        x = every_nth(&x, dim, stride)?;
    }
    Ok(x)
}

/// Every `step`-th index of dimension `dim`, by reshaping: its gradient needs no scatter.
fn every_nth(x: &Tensor, dim: usize, step: usize) -> Result<Tensor> {
    if step == 1 {
        return Ok(x.clone());
    }
    let mut dims = x.dims().to_vec();
    // A longer step takes the first alone, too.
    let step = step.min(dims[dim].max(1));
    let count = dims[dim].div_ceil(step);
    let x = x.pad_with_zeros(dim, 0, count * step - dims[dim])?;
    dims[dim] = count;
    let result = dims.clone();
    dims.insert(dim + 1, step);
    x.reshape(dims)?.narrow(dim + 1, 0, 1)?.reshape(result)
}
