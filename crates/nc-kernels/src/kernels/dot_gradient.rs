//! Kernel gradients in bf16: sums over images and pairs of pixels of input times output gradient, held in registers.

use half::bf16;

use super::direct_forward::ZEROS;
use crate::lanes::{Kernel, LANES, Lanes};

/// Pairs of pixels per row: those that the two output pixels of a pair see.
pub(super) fn pairs_per_row(out_w: usize) -> usize {
    out_w.div_ceil(2)
}

/// Input pixels of one image in pairs, `[block][row][pair][16 channels]`: those that two neighbouring output pixels see in the
/// middle column of the kernel. With `S` = 2, the pair that they see in its right column follows. Pixels beyond the image
/// are 0.
pub(super) struct PairPixels<const S: usize> {
    pub(super) x: *const bf16,
    pub(super) pairs: *mut f32,
    /// Rows of all blocks.
    pub(super) rows: usize,
    pub(super) w: usize,
    pub(super) out_w: usize,
}

impl<const S: usize> Kernel for PairPixels<S> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { x, pairs, rows, w, out_w } = self;
        let zeros = ZEROS.as_ptr().cast::<bf16>();
        let per_row = pairs_per_row(out_w);
        // SAFETY: pixels beyond the row are read from `zeros`; the caller guarantees room for all rows.
        unsafe {
            for row in 0..rows {
                let x = x.add(row * w * LANES);
                let pixel = |at: usize| if at < w { x.add(at * LANES) } else { zeros };
                for pair in 0..per_row {
                    let to = pairs.add((row * per_row + pair) * S * LANES);
                    if S == 1 {
                        let at = 2 * pair;
                        let both = if at + 1 < w {
                            V::adjacent_pairs(pixel(at))
                        } else {
                            V::pairs(pixel(at), zeros)
                        };
                        both.store(to);
                    } else {
                        let at = 4 * pair;
                        V::pairs(pixel(at), pixel(at + 2)).store(to);
                        V::pairs(pixel(at + 1), pixel(at + 3)).store(to.add(LANES));
                    }
                }
            }
        }
    }
}

/// 3x3 convolution with padding 1 and stride `S`: `CI` input channels x the three taps of a row x 16 output channels.
#[derive(Clone, Copy)]
pub(super) struct DotGradient<const S: usize, const CI: usize> {
    pub(super) at: DotTile,
}

/// Arguments of [`DotGradient`].
#[derive(Clone, Copy)]
pub(super) struct DotTile {
    /// The tile's first input channel in the pairs of [`PairPixels`].
    pub(super) pairs: *const f32,
    /// Pairs from image to image.
    pub(super) pairs_step: usize,
    /// A block of output channels.
    pub(super) dy: *const bf16,
    pub(super) dy_step: usize,
    pub(super) images: usize,
    /// Row of the kernel.
    pub(super) row: usize,
    /// First and last (exclusive) output row.
    pub(super) rows: (usize, usize),
    pub(super) h: usize,
    pub(super) out_w: usize,
    /// The tile's packed gradient.
    pub(super) dw: *mut f32,
}

impl<const S: usize, const CI: usize> Kernel for DotGradient<S, CI> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let DotTile { pairs, pairs_step, dy, dy_step, images, row, rows, h, out_w, dw } = self.at;
        let zeros = ZEROS.as_ptr().cast::<bf16>();
        let last = pairs_per_row(out_w) - 1;
        // SAFETY: rows beyond the image are skipped and pixels beyond the row read from `zeros`, so every pixel read
        // exists; the caller guarantees room for the tile in `dw`.
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
                    let x = pairs.add(image * pairs_step + (in_y - 1) * (last + 1) * S * LANES);
                    let dy = dy.add(image * dy_step + out_y * out_w * LANES);
                    // Output pixels 2j - 1 and 2j; 2j and 2j + 1; 2j + 1 and 2j + 2.
                    let mut previous = V::pairs(zeros, dy);
                    for j in 0..=last {
                        let dy = dy.add(2 * j * LANES);
                        let (current, next) = if j < last {
                            (V::adjacent_pairs(dy), V::adjacent_pairs(dy.add(LANES)))
                        } else if out_w % 2 == 0 {
                            (V::adjacent_pairs(dy), V::pairs(dy.add(LANES), zeros))
                        } else {
                            (V::pairs(dy, zeros), V::zero())
                        };
                        let x = x.add(j * S * LANES);
                        for (c, sums) in sums.iter_mut().enumerate() {
                            let middle = V::splat(x.add(c));
                            sums[1] = V::dot(middle, current, sums[1]);
                            if S == 1 {
                                sums[0] = V::dot(middle, next, sums[0]);
                                sums[2] = V::dot(middle, previous, sums[2]);
                            } else {
                                let right = V::splat(x.add(LANES + c));
                                sums[0] = V::dot(right, next, sums[0]);
                                sums[2] = V::dot(right, current, sums[2]);
                            }
                        }
                        previous = next;
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
