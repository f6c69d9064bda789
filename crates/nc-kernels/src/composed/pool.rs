use candle_core::{Result, Tensor};

use super::stride::every_nth;
use crate::windows::pooled_size;

/// Max pooling as a chain of selections over the window's pixels, row by row. A later pixel wins only if strictly
/// greater, so the first maximum, or NaN, gets the gradient.
pub(crate) fn max_pool(x: &Tensor, kernel: usize, stride: usize, padding: usize) -> Result<Tensor> {
    let (_, _, height, width) = x.dims4()?;
    let (out_h, out_w) = pooled_size((height, width), kernel, stride, padding)?;
    // A stride beyond the padded image leaves one window; clamp it to bound the memory.
    let [stride_h, stride_w] = [height, width].map(|size| stride.min(size + 2 * padding));
    let mut padded = x.clone();
    for (dim, out, stride) in [(2, out_h, stride_h), (3, out_w, stride_w)] {
        // Room for the last window and for subsampling at every offset.
        let needed = kernel - 1 + out * stride;
        let after = needed.saturating_sub(padding + padded.dim(dim)?);
        padded = pad_with_lowest(&padded, dim, padding, after)?;
    }
    let mut best: Option<Tensor> = None;
    for row in 0..kernel {
        for column in 0..kernel {
            let shifted = padded.narrow(2, row, out_h * stride_h)?.narrow(3, column, out_w * stride_w)?;
            let candidate = every_nth(&every_nth(&shifted, 2, stride_h)?, 3, stride_w)?;
            best = Some(match best {
                None => candidate,
                Some(best) => {
                    let wins = (candidate.gt(&best)? + candidate.ne(&candidate)?)?;
                    wins.where_cond(&candidate, &best)?
                }
            });
        }
    }
    best.map_or_else(|| candle_core::bail!("a pooling window needs at least one pixel"), Ok)
}

fn pad_with_lowest(x: &Tensor, dim: usize, before: usize, after: usize) -> Result<Tensor> {
    let border = |count: usize| {
        let mut dims = x.dims().to_vec();
        dims[dim] = count;
        Tensor::full(f32::NEG_INFINITY, dims, x.device())?.to_dtype(x.dtype())
    };
    match (before, after) {
        (0, 0) => Ok(x.clone()),
        (0, _) => Tensor::cat(&[x, &border(after)?], dim),
        (_, 0) => Tensor::cat(&[&border(before)?, x], dim),
        _ => Tensor::cat(&[&border(before)?, x, &border(after)?], dim),
    }
}
