use super::problem::Part;
use super::tile::{finish, place};
use crate::lanes::{Kernel, LANES, Lanes};

/// Convolution of any kernel size with stride `S` over an image copied into its border, for one block of output
/// channels: tiles of `PX` pixels, one tap after the other.
pub(super) struct GeneralForward<const S: usize, const PX: usize, const PLANAR: bool> {
    /// `h` and `w` are those of the image with its border.
    pub(super) part: Part,
    pub(super) kernel: usize,
}

impl<const S: usize, const PX: usize, const PLANAR: bool> Kernel for GeneralForward<S, PX, PLANAR> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { part, kernel } = self;
        let Part { x, sources, channels, h, w, out_h, out_w, weight, y, end } = part;
        let plane = h * w;
        let (pixel, lanes) = if PLANAR { (1, channels) } else { (LANES, LANES) };
        // SAFETY: a tile lies within the row (`place`), and (out_w - 1) * S + kernel <= w, likewise for rows; the
        // caller guarantees room for all blocks in kernel, output and sums.
        unsafe {
            for out_y in 0..out_h {
                for tile in 0..out_w.div_ceil(PX) {
                    let (x0, skip) = place(tile, PX, out_w);
                    let mut sums = [[V::zero(); 1]; PX];
                    for source in 0..sources {
                        let used = if PLANAR { channels } else { (channels - source * LANES).min(LANES) };
                        for row in 0..kernel {
                            let first =
                                x.add(source * plane * LANES + ((out_y * S + row) * w + S * x0) * pixel);
                            let taps = weight.add((source * kernel + row) * lanes * kernel * LANES);
                            for channel in 0..used {
                                let first = first.add(channel * if PLANAR { plane } else { 1 });
                                let taps = taps.add(channel * kernel * LANES);
                                for column in 0..kernel {
                                    let k = V::load(taps.add(column * LANES));
                                    let first = first.add(column * pixel);
                                    for (p, sums) in sums.iter_mut().enumerate() {
                                        sums[0] = V::fma(V::splat(first.add(S * p * pixel)), k, sums[0]);
                                    }
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
