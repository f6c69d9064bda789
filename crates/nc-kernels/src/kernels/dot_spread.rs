use half::bf16;

use super::direct_forward::ZEROS;
use super::problem::Part;
use super::tile::place;
use crate::lanes::{Kernel, LANES, Lanes};

/// Input gradient in bf16 of a 3x3 convolution with padding 1 and stride 2, for one image and one block of input channels:
/// [`DirectSpread`](super::direct_spread::DirectSpread) over pairs of channels.
pub(super) struct DotSpread<const PX: usize>(pub(super) Part<bf16>);

impl<const PX: usize> Kernel for DotSpread<PX> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Part { x: dy, sources: targets, channels, weight, y: dx, .. } = self.0;
        let Part { h: out_h, w: out_w, out_h: h, out_w: w, .. } = self.0;
        let zeros = ZEROS.as_ptr().cast::<bf16>();
        // SAFETY: rows and columns beyond the gradient are skipped or read from ZEROS, and odd columns beyond the
        // image are not stored. The caller guarantees room for all blocks in kernel and images.
        unsafe {
            for in_y in 0..h {
                for tile in 0..out_w.div_ceil(PX) {
                    let (x0, _) = place(tile, PX, out_w);
                    let mut even = [V::zero(); PX];
                    let mut odd = [V::zero(); PX];
                    for row in 0..3 {
                        if (in_y + 1 + row) % 2 != 0 || in_y + 1 < row || (in_y + 1 - row) / 2 >= out_h {
                            continue;
                        }
                        let out_y = (in_y + 1 - row) / 2;
                        for target in 0..targets {
                            let pairs = (channels - target * LANES).min(LANES).div_ceil(2);
                            let first = dy.add(((target * out_h + out_y) * out_w + x0) * LANES);
                            let taps = weight.add((target * 3 + row) * LANES / 2 * 3 * LANES);
                            let right = if x0 + PX >= out_w { zeros } else { first.add(PX * LANES) };
                            for pair in 0..pairs {
                                let value = |pixel: *const bf16| V::splat(pixel.add(2 * pair).cast());
                                let taps = taps.add(pair * 3 * LANES);
                                let k0 = V::load(taps);
                                let k1 = V::load(taps.add(LANES));
                                let k2 = V::load(taps.add(2 * LANES));
                                for p in 0..PX {
                                    let value = value(first.add(p * LANES));
                                    even[p] = V::dot(value, k1, even[p]);
                                    odd[p] = V::dot(value, k2, odd[p]);
                                    if p > 0 {
                                        odd[p - 1] = V::dot(value, k0, odd[p - 1]);
                                    }
                                }
                                odd[PX - 1] = V::dot(value(right), k0, odd[PX - 1]);
                            }
                        }
                    }
                    let to = dx.add((in_y * w + 2 * x0) * LANES);
                    for p in 0..PX {
                        even[p].store_bf16(to.add(2 * p * LANES));
                        if 2 * (x0 + p) + 1 < w {
                            odd[p].store_bf16(to.add((2 * p + 1) * LANES));
                        }
                    }
                }
            }
        }
    }
}
