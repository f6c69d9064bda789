use super::problem::Part;
use super::tile::finish;
use crate::lanes::{Kernel, LANES, Lanes};

/// 1x1 convolution with stride 1 of one image, for `O` blocks of output channels: consecutive tiles of `PX` pixels.
///
/// The image is one row of pixels. A run adds some of the input blocks, which stay in the cache from tile to tile; later
/// runs continue with the stored sums.
pub(super) struct Pointwise<const PX: usize, const O: usize> {
    pub(super) part: Part,
    /// Values from the packed kernel of an output block to the next.
    pub(super) weight_step: usize,
    /// First pixel, and number of tiles.
    pub(super) pixel: usize,
    pub(super) tiles: usize,
    /// First input block of this run, and the end.
    pub(super) sources: (usize, usize),
}

impl<const PX: usize, const O: usize> Kernel for Pointwise<PX, O> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { part, weight_step, pixel, tiles, sources: (begin, stop) } = self;
        let Part { x, sources, channels, h, w, weight, y, end, .. } = part;
        let plane = h * w;
        // SAFETY: the caller guarantees that pixels, blocks and their kernels exist, and room for them in output and
        // sums.
        unsafe {
            for tile in 0..tiles {
                let x0 = pixel + tile * PX;
                let mut sums = [[V::zero(); O]; PX];
                if begin > 0 {
                    for (p, sums) in sums.iter_mut().enumerate() {
                        for (o, sum) in sums.iter_mut().enumerate() {
                            *sum = V::load(y.add((o * plane + x0 + p) * LANES));
                        }
                    }
                }
                for source in begin..stop {
                    let used = (channels - source * LANES).min(LANES);
                    let first = x.add((source * plane + x0) * LANES);
                    let taps = weight.add(source * LANES * LANES);
                    for channel in 0..used {
                        let mut k = [V::zero(); O];
                        for (o, k) in k.iter_mut().enumerate() {
                            *k = V::load(taps.add(o * weight_step + channel * LANES));
                        }
                        for (p, sums) in sums.iter_mut().enumerate() {
                            let value = V::splat(first.add(p * LANES + channel));
                            for (sum, k) in sums.iter_mut().zip(k) {
                                *sum = V::fma(value, k, *sum);
                            }
                        }
                    }
                }
                if stop == sources {
                    finish(&sums, y, plane * LANES, x0, 0, end);
                } else {
                    for (p, sums) in sums.iter().enumerate() {
                        for (o, sum) in sums.iter().enumerate() {
                            sum.store(y.add((o * plane + x0 + p) * LANES));
                        }
                    }
                }
            }
        }
    }
}

/// Kernel gradient of a 1x1 convolution with stride 1 for `CI` input channels and a block of output channels: adds the pixels
/// of some images.
#[derive(Clone, Copy)]
pub(super) struct PointwiseGradient<const CI: usize> {
    /// First pixel and channel of the first image, and values from image to image.
    pub(super) x: *const f32,
    pub(super) x_step: usize,
    /// The same of the output's gradient.
    pub(super) dy: *const f32,
    pub(super) dy_step: usize,
    pub(super) images: usize,
    pub(super) pixels: usize,
    pub(super) dw: *mut f32,
}

impl<const CI: usize> Kernel for PointwiseGradient<CI> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { x, x_step, dy, dy_step, images, pixels, dw } = self;
        // SAFETY: the caller guarantees that images, pixels and channels exist, and room for the channels in `dw`.
        unsafe {
            let mut sums = [V::zero(); CI];
            for (c, sum) in sums.iter_mut().enumerate() {
                *sum = V::load(dw.add(c * LANES));
            }
            for image in 0..images {
                let (x, dy) = (x.add(image * x_step), dy.add(image * dy_step));
                for p in 0..pixels {
                    let gradient = V::load(dy.add(p * LANES));
                    for (c, sum) in sums.iter_mut().enumerate() {
                        *sum = V::fma(V::splat(x.add(p * LANES + c)), gradient, *sum);
                    }
                }
            }
            for (c, sum) in sums.iter().enumerate() {
                sum.store(dw.add(c * LANES));
            }
        }
    }
}
