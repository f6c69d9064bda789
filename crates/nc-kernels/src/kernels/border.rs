//! Copies of an image with a border of zeros, for the general kernels.

use super::geometry::Conv;
use crate::lanes::LANES;

/// Copies the input into its border, in the input's own layout.
pub(super) fn pad(conv: &Conv, x: &[f32], padded: &mut [f32]) {
    let (h, w) = conv.padded();
    let border = conv.shape.padding;
    let (planes, pixel) = if conv.planar { (conv.shape.in_channels, 1) } else { (conv.in_blocks(), LANES) };
    padded[..planes * h * w * pixel].fill(0.0);
    for plane in 0..planes {
        for row in 0..conv.h {
            let from = (plane * conv.h + row) * conv.w * pixel;
            let to = ((plane * h + row + border) * w + border) * pixel;
            padded[to..to + conv.w * pixel].copy_from_slice(&x[from..from + conv.w * pixel]);
        }
    }
}

/// Copies the output gradient with `stride` - 1 zeros between pixels and a border, so that its convolution with the
/// mirrored kernel at stride 1 is the input gradient.
pub(super) fn spread(conv: &Conv, dy: &[f32], spread: &mut [f32]) {
    let (h, w) = conv.spread();
    let border = conv.shape.kernel - 1 - conv.shape.padding;
    let stride = conv.shape.stride;
    spread[..conv.out_blocks() * h * w * LANES].fill(0.0);
    for block in 0..conv.out_blocks() {
        for row in 0..conv.out_h {
            for column in 0..conv.out_w {
                let from = ((block * conv.out_h + row) * conv.out_w + column) * LANES;
                let to = ((block * h + row * stride + border) * w + column * stride + border) * LANES;
                spread[to..to + LANES].copy_from_slice(&dy[from..from + LANES]);
            }
        }
    }
}

/// Copies the pixels that a strided 1x1 convolution reads.
pub(super) fn take(conv: &Conv, x: &[f32], seen: &mut [f32]) {
    let stride = conv.shape.stride;
    let rows = seen.chunks_mut(conv.out_w * LANES).take(conv.in_blocks() * conv.out_h);
    for (index, seen) in rows.enumerate() {
        let (block, row) = (index / conv.out_h, index % conv.out_h);
        let from = (block * conv.h + row * stride) * conv.w * LANES;
        for (column, seen) in seen.chunks_mut(LANES).enumerate() {
            seen.copy_from_slice(&x[from + column * stride * LANES..][..LANES]);
        }
    }
}

/// Scatters the input gradient of a strided 1x1 convolution: `seen` at the strided pixels, zeros elsewhere.
pub(super) fn place(conv: &Conv, seen: &[f32], dx: &mut [f32]) {
    dx.fill(0.0);
    let stride = conv.shape.stride;
    for (block, dx) in dx.chunks_mut(conv.h * conv.w * LANES).enumerate() {
        for row in 0..conv.out_h {
            for column in 0..conv.out_w {
                let from = ((block * conv.out_h + row) * conv.out_w + column) * LANES;
                let to = (row * stride * conv.w + column * stride) * LANES;
                dx[to..to + LANES].copy_from_slice(&seen[from..from + LANES]);
            }
        }
    }
}
