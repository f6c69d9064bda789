use half::bf16;

use super::direct_forward::ZEROS;
use super::problem::Part;
use super::tile::{finish, place};
use crate::lanes::{Kernel, LANES, Lanes};

/// Pixels whose additions are grouped by column of the kernel with stride 1 and one block of output channels: an addition takes several
/// cycles, so the three to a sum are kept apart.
const GROUP: usize = 8;

/// 3x3 convolution in bf16 with padding 1 and stride `S` of one image, for `O` blocks of output channels.
///
/// A tile is `PX` pixels of an output row; every pair of channels read feeds the three taps of a kernel row. The kernel is
/// packed in pairs of input channels.
pub(super) struct DotForward<const S: usize, const PX: usize, const O: usize> {
    pub(super) part: Part<bf16>,
    /// Pairs from the packed kernel of an output block to the next.
    pub(super) weight_step: usize,
}

impl<const S: usize, const PX: usize, const O: usize> Kernel for DotForward<S, PX, O> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { part, weight_step } = self;
        let Part { x, sources, channels, h, w, out_h, out_w, weight, y, end } = part;
        let zeros = ZEROS.as_ptr().cast::<bf16>();
        let plane = h * w;
        let group = if S == 1 && O == 1 { GROUP } else { 1 };
        // SAFETY: a tile lies within the row (`place`), kernel rows beyond the image are skipped and columns beyond it
        // are read from `zeros`, so every input pixel read exists, in pairs of channels: a block has sixteen. The caller
        // guarantees room for all blocks in kernel, output and sums.
        unsafe {
            for out_y in 0..out_h {
                for tile in 0..out_w.div_ceil(PX) {
                    let (x0, skip) = place(tile, PX, out_w);
                    let mut sums = [[V::zero(); O]; PX];
                    for row in 0..3 {
                        let in_y = out_y * S + row;
                        if in_y < 1 || in_y > h {
                            continue;
                        }
                        for source in 0..sources {
                            let pairs = (channels - source * LANES).min(LANES).div_ceil(2);
                            let first = x.add((source * plane + (in_y - 1) * w + S * x0) * LANES);
                            let taps = weight.add((source * 3 + row) * LANES / 2 * 3 * LANES);
                            // The column left of the tile, and the last one touched by a tap.
                            let left = if x0 == 0 { zeros } else { first.sub(LANES) };
                            let right = if S * (x0 + PX - 1) + 1 >= w {
                                zeros
                            } else {
                                first.add((S * (PX - 1) + 1) * LANES)
                            };
                            for pair in 0..pairs {
                                let value = |pixel: *const bf16| V::splat(pixel.add(2 * pair).cast());
                                let taps = taps.add(pair * 3 * LANES);
                                let mut k = [[V::zero(); 3]; O];
                                for (o, k) in k.iter_mut().enumerate() {
                                    for (column, k) in k.iter_mut().enumerate() {
                                        *k = V::load(taps.add(o * weight_step + column * LANES));
                                    }
                                }
                                let left = value(left);
                                for o in 0..O {
                                    sums[0][o] = V::dot(left, k[o][0], sums[0][o]);
                                }
                                for start in (0..PX).step_by(group) {
                                    let end = if start + group < PX { start + group } else { PX };
                                    let mut centre = [V::zero(); GROUP];
                                    for p in start..end {
                                        centre[p - start] = value(first.add(S * p * LANES));
                                    }
                                    if S == 1 {
                                        let end = if end < PX { end } else { PX - 1 };
                                        for p in start..end {
                                            for o in 0..O {
                                                sums[p + 1][o] =
                                                    V::dot(centre[p - start], k[o][0], sums[p + 1][o]);
                                            }
                                        }
                                    }
                                    for p in start..end {
                                        for o in 0..O {
                                            sums[p][o] = V::dot(centre[p - start], k[o][1], sums[p][o]);
                                        }
                                    }
                                    if S == 1 {
                                        for p in start.max(1)..end {
                                            for o in 0..O {
                                                sums[p - 1][o] =
                                                    V::dot(centre[p - start], k[o][2], sums[p - 1][o]);
                                            }
                                        }
                                        continue;
                                    }
                                    for p in start..end {
                                        if p + 1 < PX {
                                            let between = value(first.add((S * p + 1) * LANES));
                                            for o in 0..O {
                                                sums[p][o] = V::dot(between, k[o][2], sums[p][o]);
                                                sums[p + 1][o] = V::dot(between, k[o][0], sums[p + 1][o]);
                                            }
                                        }
                                    }
                                }
                                let right = value(right);
                                for o in 0..O {
                                    sums[PX - 1][o] = V::dot(right, k[o][2], sums[PX - 1][o]);
                                }
                            }
                        }
                    }
                    finish(&sums, y, out_h * out_w * LANES, out_y * out_w + x0, skip, end);
                }
            }
        }
    }
}
