//! Elementwise passes over one image of `blocks` channel blocks of `pixels` pixels each.

use super::tile::BlockSums;
use crate::element::Element;
use crate::lanes::{Kernel, LANES, Lanes};

/// out = relu?(y * scale + shift + residual); `residual` may be null.
pub(super) struct Normalise<E> {
    pub(super) y: *const E,
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    pub(super) residual: *const E,
    pub(super) relu: bool,
    pub(super) out: *mut E,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl<E: Element> Kernel for Normalise<E> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { y, scale, shift, residual, relu, out, blocks, pixels } = self;
        // SAFETY: the caller guarantees room for all blocks in images and coefficients.
        unsafe {
            for block in 0..blocks {
                let (scale, shift) = (V::load(scale.add(block * LANES)), V::load(shift.add(block * LANES)));
                let range = block * pixels..(block + 1) * pixels;
                // Branches outside the loops keep fewer values live in each.
                match (residual.is_null(), relu) {
                    (true, true) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value = V::fma(E::load(y.add(at)), scale, shift);
                            E::store(value.positive_part(), out.add(at));
                        }
                    }
                    (true, false) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            E::store(V::fma(E::load(y.add(at)), scale, shift), out.add(at));
                        }
                    }
                    (false, true) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value =
                                V::fma(E::load(y.add(at)), scale, shift).add(E::load(residual.add(at)));
                            E::store(value.positive_part(), out.add(at));
                        }
                    }
                    (false, false) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value =
                                V::fma(E::load(y.add(at)), scale, shift).add(E::load(residual.add(at)));
                            E::store(value, out.add(at));
                        }
                    }
                }
            }
        }
    }
}

/// Mask of a ReLU: where it passed the gradient.
#[derive(Clone, Copy)]
pub(super) enum RawMask<E> {
    /// Everywhere.
    Open,
    /// Where these values are positive.
    Values(*const E),
    /// Where y * scale + shift is positive.
    Affine { scale: *const f32, shift: *const f32 },
}

/// Sums over the pixels of a channel block, from which batch norm's gradient is computed.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct GradientSums {
    /// Sum of the gradient.
    pub(crate) gradient: [f32; LANES],
    /// Sum of gradient * (y - mean).
    pub(crate) product: [f32; LANES],
}

impl GradientSums {
    pub(crate) const ZERO: Self = Self { gradient: [0.0; LANES], product: [0.0; LANES] };
}

/// gradient = gradient where the mask is open, else 0; accumulates the sums.
pub(super) struct MaskAndSum<E> {
    pub(super) gradient: *mut E,
    pub(super) mask: RawMask<E>,
    pub(super) y: *const E,
    pub(super) mean: *const f32,
    pub(super) sums: *mut GradientSums,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl<E: Element> Kernel for MaskAndSum<E> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { gradient, mask, y, mean, sums, blocks, pixels } = self;
        // SAFETY: the caller guarantees room for all blocks in images, coefficients and sums.
        unsafe {
            for block in 0..blocks {
                let mean = V::load(mean.add(block * LANES));
                let sums = sums.add(block);
                let gradient_at = (&raw mut (*sums).gradient).cast::<f32>();
                let product_at = (&raw mut (*sums).product).cast::<f32>();
                let (mut sum, mut product) = (V::load(gradient_at), V::load(product_at));
                let range = block * pixels..(block + 1) * pixels;
                match mask {
                    RawMask::Open => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value: V = E::load(gradient.add(at));
                            sum = sum.add(value);
                            product = V::fma(value, E::load::<V>(y.add(at)).sub(mean), product);
                        }
                    }
                    RawMask::Values(values) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let open = E::load(values.add(at));
                            let value = E::load::<V>(gradient.add(at)).where_positive(open);
                            E::store(value, gradient.add(at));
                            sum = sum.add(value);
                            product = V::fma(value, E::load::<V>(y.add(at)).sub(mean), product);
                        }
                    }
                    RawMask::Affine { scale, shift } => {
                        let scale = V::load(scale.add(block * LANES));
                        let shift = V::load(shift.add(block * LANES));
                        for at in range.map(|pixel| pixel * LANES) {
                            let y: V = E::load(y.add(at));
                            let open = V::fma(y, scale, shift);
                            let value = E::load::<V>(gradient.add(at)).where_positive(open);
                            E::store(value, gradient.add(at));
                            sum = sum.add(value);
                            product = V::fma(value, y.sub(mean), product);
                        }
                    }
                }
                sum.store(gradient_at);
                product.store(product_at);
            }
        }
    }
}

/// Batch norm's gradient: dy = gradient * scale + (y - mean) * slope + offset.
pub(super) struct NormGradient<E> {
    pub(super) gradient: *const E,
    pub(super) y: *const E,
    pub(super) mean: *const f32,
    pub(super) scale: *const f32,
    pub(super) slope: *const f32,
    pub(super) offset: *const f32,
    pub(super) dy: *mut E,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl<E: Element> Kernel for NormGradient<E> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { gradient, y, mean, scale, slope, offset, dy, blocks, pixels } = self;
        // SAFETY: the caller guarantees room for all blocks in images and coefficients.
        unsafe {
            for block in 0..blocks {
                let [mean, scale, slope, offset] =
                    [mean, scale, slope, offset].map(|from| V::load(from.add(block * LANES)));
                for at in (block * pixels..(block + 1) * pixels).map(|pixel| pixel * LANES) {
                    let centred = E::load::<V>(y.add(at)).sub(mean);
                    let value = V::fma(E::load(gradient.add(at)), scale, V::fma(centred, slope, offset));
                    E::store(value, dy.add(at));
                }
            }
        }
    }
}

/// sum += term, over a multiple of sixteen values.
pub(super) struct Add<E> {
    pub(super) sum: *mut E,
    pub(super) term: *const E,
    pub(super) vectors: usize,
}

impl<E: Element> Kernel for Add<E> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        // SAFETY: the caller guarantees room for all vectors in both.
        unsafe {
            for at in (0..self.vectors).map(|vector| vector * LANES) {
                let sum = E::load::<V>(self.sum.add(at)).add(E::load(self.term.add(at)));
                E::store(sum, self.sum.add(at));
            }
        }
    }
}

/// Adds one image to the sums for the batch statistics. The shift is that of its first pixel if `set_shift`.
pub(super) struct AddStatistics<E> {
    pub(super) y: *const E,
    pub(super) sums: *mut BlockSums,
    pub(super) set_shift: bool,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl<E: Element> Kernel for AddStatistics<E> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { y, sums, set_shift, blocks, pixels } = self;
        // SAFETY: the caller guarantees room for all blocks in image and sums.
        unsafe {
            for block in 0..blocks {
                let sums = sums.add(block);
                let shift_at = (&raw mut (*sums).shift).cast::<f32>();
                let sum_at = (&raw mut (*sums).sum).cast::<f32>();
                let square_at = (&raw mut (*sums).square).cast::<f32>();
                let y = y.add(block * pixels * LANES);
                if set_shift {
                    E::load::<V>(y).store(shift_at);
                }
                let shift = V::load(shift_at);
                let (mut sum, mut square) = (V::load(sum_at), V::load(square_at));
                for pixel in 0..pixels {
                    let centred = E::load::<V>(y.add(pixel * LANES)).sub(shift);
                    sum = sum.add(centred);
                    square = V::fma(centred, centred, square);
                }
                sum.store(sum_at);
                square.store(square_at);
            }
        }
    }
}

/// to = from, over a multiple of sixteen values.
pub(super) struct Convert<A, B> {
    pub(super) from: *const A,
    pub(super) to: *mut B,
    pub(super) vectors: usize,
}

impl<A: Element, B: Element> Kernel for Convert<A, B> {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        // SAFETY: the caller guarantees room for all vectors in both.
        unsafe {
            for at in (0..self.vectors).map(|vector| vector * LANES) {
                B::store(A::load::<V>(self.from.add(at)), self.to.add(at));
            }
        }
    }
}
