use super::problem::Part;
use super::tile::{finish, place};
use crate::lanes::{Kernel, LANES, Lanes};

/// Zeros, read in place of pixels beyond the border.
#[repr(align(64))]
pub(super) struct Zeros([f32; LANES]);
pub(super) static ZEROS: Zeros = Zeros([0.0; LANES]);

impl Zeros {
    pub(super) fn as_ptr(&self) -> *const f32 {
        self.0.as_ptr()
    }
}

/// 3x3 convolution with padding 1 and stride `S` of one image, for `O` blocks of output channels.
///
/// A tile is `PX` pixels of an output row; every input value read feeds the three taps of a kernel row. `PLANAR` marks
/// planar input channels (see [`super::geometry::Conv`]).
pub(super) struct DirectForward<const S: usize, const PX: usize, const O: usize, const PLANAR: bool> {
    pub(super) part: Part,
    /// Values from the packed kernel of an output block to the next.
    pub(super) weight_step: usize,
}

impl<const S: usize, const PX: usize, const O: usize, const PLANAR: bool> Kernel
    for DirectForward<S, PX, O, PLANAR>
{
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { part, weight_step } = self;
        let Part { x, sources, channels, h, w, out_h, out_w, weight, y, end } = part;
        let zeros = ZEROS.as_ptr();
        let plane = h * w;
        let (pixel, lanes) = if PLANAR { (1, channels) } else { (LANES, LANES) };
        // SAFETY: a tile lies within the row (`place`), kernel rows beyond the image are skipped and columns beyond it
        // are read from `zeros`, so every input pixel read exists. The caller guarantees room for all blocks in
        // kernel, output and sums.
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
                            let used = if PLANAR { channels } else { (channels - source * LANES).min(LANES) };
                            let first = x.add(source * plane * LANES + ((in_y - 1) * w + S * x0) * pixel);
                            let taps = weight.add((source * 3 + row) * lanes * 3 * LANES);
                            // The column left of the tile, and the last one touched by a tap.
                            let (left, left_step) =
                                if x0 == 0 { (zeros, 0) } else { (first.sub(pixel), plane) };
                            let (right, right_step) = if S * (x0 + PX - 1) + 1 >= w {
                                (zeros, 0)
                            } else {
                                (first.add((S * (PX - 1) + 1) * pixel), plane)
                            };
                            for channel in 0..used {
                                let (centre, left, right) = if PLANAR {
                                    (
                                        first.add(channel * plane),
                                        left.add(channel * left_step),
                                        right.add(channel * right_step),
                                    )
                                } else {
                                    (first.add(channel), left.add(channel), right.add(channel))
                                };
                                let taps = taps.add(channel * 3 * LANES);
                                let mut k = [[V::zero(); 3]; O];
                                for (o, k) in k.iter_mut().enumerate() {
                                    for (column, k) in k.iter_mut().enumerate() {
                                        *k = V::load(taps.add(o * weight_step + column * LANES));
                                    }
                                }
                                let value = V::splat(left);
                                for o in 0..O {
                                    sums[0][o] = V::fma(value, k[o][0], sums[0][o]);
                                }
                                for p in 0..PX {
                                    let value = V::splat(centre.add(S * p * pixel));
                                    for o in 0..O {
                                        if S == 1 && p + 1 < PX {
                                            sums[p + 1][o] = V::fma(value, k[o][0], sums[p + 1][o]);
                                        }
                                        sums[p][o] = V::fma(value, k[o][1], sums[p][o]);
                                        if S == 1 && p > 0 {
                                            sums[p - 1][o] = V::fma(value, k[o][2], sums[p - 1][o]);
                                        }
                                    }
                                    if S == 2 && p + 1 < PX {
                                        let value = V::splat(centre.add((S * p + 1) * pixel));
                                        for o in 0..O {
                                            sums[p][o] = V::fma(value, k[o][2], sums[p][o]);
                                            sums[p + 1][o] = V::fma(value, k[o][0], sums[p + 1][o]);
                                        }
                                    }
                                }
                                let value = V::splat(right);
                                for o in 0..O {
                                    sums[PX - 1][o] = V::fma(value, k[o][2], sums[PX - 1][o]);
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
