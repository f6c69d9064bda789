//! Kernel gradients: sums over images and pixels of input times output gradient, held in registers.

use crate::lanes::{Kernel, LANES, Lanes};

/// Shared arguments of the kernel gradients of one row of taps. `x` is the tile's first input channel, `dy` a block of
/// output channels, `dw` the tile's packed gradient; images are `x_step` and `dy_step` apart.
#[derive(Clone, Copy)]
pub(super) struct GradientTile {
    pub(super) x: *const f32,
    pub(super) x_step: usize,
    pub(super) dy: *const f32,
    pub(super) dy_step: usize,
    pub(super) images: usize,
    /// Row of the kernel.
    pub(super) row: usize,
    /// First and last (exclusive) output row.
    pub(super) rows: (usize, usize),
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    pub(super) dw: *mut f32,
}

/// 3x3 convolution with padding 1 and stride `S`: `CI` input channels x 3 taps x 16 output channels.
pub(super) struct ThreeTaps<const S: usize, const CI: usize, const PLANAR: bool>(pub(super) GradientTile);

impl<const S: usize, const CI: usize, const PLANAR: bool> Kernel for ThreeTaps<S, CI, PLANAR> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let GradientTile { x, x_step, dy, dy_step, images, row, rows, h, w, out_w, dw, .. } = self.0;
        let (pixel, channel_step) = if PLANAR { (1, h * w) } else { (LANES, 1) };
        // SAFETY: rows and columns beyond the image are skipped, so every pixel read exists; the caller guarantees
        // room for the tile in `dw`.
        unsafe {
            let mut sums = [[V::zero(); 3]; CI];
            for (c, sums) in sums.iter_mut().enumerate() {
                for (column, sum) in sums.iter_mut().enumerate() {
                    *sum = V::load(dw.add((c * 3 + column) * LANES));
                }
            }
            for image in 0..images {
                for out_y in rows.0..rows.1 {
                    let in_y = out_y * S + row;
                    if in_y < 1 || in_y > h {
                        continue;
                    }
                    let x = x.add(image * x_step + (in_y - 1) * w * pixel);
                    let dy = dy.add(image * dy_step + out_y * out_w * LANES);
                    if S == 1 {
                        let (mut previous, mut current) = (V::zero(), V::load(dy));
                        for p in 0..w - 1 {
                            let next = V::load(dy.add((p + 1) * LANES));
                            for (c, sums) in sums.iter_mut().enumerate() {
                                let value = V::splat(x.add(p * pixel + c * channel_step));
                                sums[0] = V::fma(value, next, sums[0]);
                                sums[1] = V::fma(value, current, sums[1]);
                                sums[2] = V::fma(value, previous, sums[2]);
                            }
                            (previous, current) = (current, next);
                        }
                        for (c, sums) in sums.iter_mut().enumerate() {
                            let value = V::splat(x.add((w - 1) * pixel + c * channel_step));
                            sums[1] = V::fma(value, current, sums[1]);
                            sums[2] = V::fma(value, previous, sums[2]);
                        }
                    } else {
                        for p in 0..out_w {
                            let gradient = V::load(dy.add(p * LANES));
                            let x = x.add(S * p * pixel);
                            if p > 0 {
                                for (c, sums) in sums.iter_mut().enumerate() {
                                    let value = V::splat(x.sub(pixel).add(c * channel_step));
                                    sums[0] = V::fma(value, gradient, sums[0]);
                                }
                            }
                            for (c, sums) in sums.iter_mut().enumerate() {
                                sums[1] = V::fma(V::splat(x.add(c * channel_step)), gradient, sums[1]);
                            }
                            if S * p + 1 < w {
                                for (c, sums) in sums.iter_mut().enumerate() {
                                    let value = V::splat(x.add(pixel + c * channel_step));
                                    sums[2] = V::fma(value, gradient, sums[2]);
                                }
                            }
                        }
                    }
                }
            }
            for (c, sums) in sums.iter().enumerate() {
                for (column, sum) in sums.iter().enumerate() {
                    sum.store(dw.add((c * 3 + column) * LANES));
                }
            }
        }
    }
}

/// One tap of a convolution of any kernel size and stride: `CI` input channels x 16 output channels.
pub(super) struct OneTap<const CI: usize, const PLANAR: bool> {
    /// `h` and `w` are those of the image in memory.
    pub(super) at: GradientTile,
    /// Column of the kernel.
    pub(super) column: usize,
    /// Columns (and rows) of the kernel.
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Padding not materialised in memory: 0 for an image copied into its border.
    pub(super) padding: usize,
}

impl<const CI: usize, const PLANAR: bool> Kernel for OneTap<CI, PLANAR> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { at, column, kernel, stride, padding } = self;
        let GradientTile { x, x_step, dy, dy_step, images, row, rows, h, w, out_w, dw, .. } = at;
        let (pixel, channel_step) = if PLANAR { (1, h * w) } else { (LANES, 1) };
        // Range of output columns whose input column, stride * p + column - padding, exists.
        let start = padding.saturating_sub(column).div_ceil(stride);
        let end = if w + padding > column { (w + padding - column).div_ceil(stride).min(out_w) } else { 0 };
        // SAFETY: as in `ThreeTaps`; the columns run over `start..end`.
        unsafe {
            let mut sums = [V::zero(); CI];
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(dw.add((c * kernel + column) * LANES));
            }
            for image in 0..images {
                for out_y in rows.0..rows.1 {
                    let in_y = out_y * stride + row;
                    if in_y < padding || in_y >= h + padding {
                        continue;
                    }
                    let x = x.add(image * x_step + (in_y - padding) * w * pixel);
                    let dy = dy.add(image * dy_step + out_y * out_w * LANES);
                    for p in start..end {
                        let gradient = V::load(dy.add(p * LANES));
                        let x = x.add((stride * p + column - padding) * pixel);
                        for (c, sum) in sums.iter_mut().enumerate() {
                            *sum = V::fma(V::splat(x.add(c * channel_step)), gradient, *sum);
                        }
                    }
                }
            }
            for (c, sum) in sums.iter().enumerate() {
                sum.store(dw.add((c * kernel + column) * LANES));
            }
        }
    }
}
