//! Elementwise passes over one image of `blocks` channel blocks of `pixels` pixels each.

use crate::lanes::{Kernel, LANES, Lanes};

/// out = relu?(y * scale + shift + residual); `residual` may be null.
pub(super) struct Normalise {
    pub(super) y: *const f32,
    pub(super) scale: *const f32,
    pub(super) shift: *const f32,
    pub(super) residual: *const f32,
    pub(super) relu: bool,
    pub(super) out: *mut f32,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl Kernel for Normalise {
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
                            V::fma(V::load(y.add(at)), scale, shift).positive_part().store(out.add(at));
                        }
                    }
                    (true, false) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            V::fma(V::load(y.add(at)), scale, shift).store(out.add(at));
                        }
                    }
                    (false, true) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value = V::fma(V::load(y.add(at)), scale, shift);
                            value.add(V::load(residual.add(at))).positive_part().store(out.add(at));
                        }
                    }
                    (false, false) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let value = V::fma(V::load(y.add(at)), scale, shift);
                            value.add(V::load(residual.add(at))).store(out.add(at));
                        }
                    }
                }
            }
        }
    }
}

/// Mask of a ReLU: where it passed the gradient.
#[derive(Clone, Copy)]
pub(super) enum RawMask {
    /// Everywhere.
    Open,
    /// Where these values are positive.
    Values(*const f32),
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
pub(super) struct MaskAndSum {
    pub(super) gradient: *mut f32,
    pub(super) mask: RawMask,
    pub(super) y: *const f32,
    pub(super) mean: *const f32,
    pub(super) sums: *mut GradientSums,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl Kernel for MaskAndSum {
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
                            let value = V::load(gradient.add(at));
                            sum = sum.add(value);
                            product = V::fma(value, V::load(y.add(at)).sub(mean), product);
                        }
                    }
                    RawMask::Values(values) => {
                        for at in range.map(|pixel| pixel * LANES) {
                            let open = V::load(values.add(at));
                            let value = V::load(gradient.add(at)).where_positive(open);
                            value.store(gradient.add(at));
                            sum = sum.add(value);
                            product = V::fma(value, V::load(y.add(at)).sub(mean), product);
                        }
                    }
                    RawMask::Affine { scale, shift } => {
                        let scale = V::load(scale.add(block * LANES));
                        let shift = V::load(shift.add(block * LANES));
                        for at in range.map(|pixel| pixel * LANES) {
                            let y = V::load(y.add(at));
                            let value = V::load(gradient.add(at)).where_positive(V::fma(y, scale, shift));
                            value.store(gradient.add(at));
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
pub(super) struct NormGradient {
    pub(super) gradient: *const f32,
    pub(super) y: *const f32,
    pub(super) mean: *const f32,
    pub(super) scale: *const f32,
    pub(super) slope: *const f32,
    pub(super) offset: *const f32,
    pub(super) dy: *mut f32,
    pub(super) blocks: usize,
    pub(super) pixels: usize,
}

impl Kernel for NormGradient {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { gradient, y, mean, scale, slope, offset, dy, blocks, pixels } = self;
        // SAFETY: the caller guarantees room for all blocks in images and coefficients.
        unsafe {
            for block in 0..blocks {
                let [mean, scale, slope, offset] =
                    [mean, scale, slope, offset].map(|from| V::load(from.add(block * LANES)));
                for at in (block * pixels..(block + 1) * pixels).map(|pixel| pixel * LANES) {
                    let centred = V::load(y.add(at)).sub(mean);
                    let value = V::fma(V::load(gradient.add(at)), scale, V::fma(centred, slope, offset));
                    value.store(dy.add(at));
                }
            }
        }
    }
}

/// sum += term, over a multiple of sixteen values.
pub(super) struct Add {
    pub(super) sum: *mut f32,
    pub(super) term: *const f32,
    pub(super) vectors: usize,
}

impl Kernel for Add {
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        // SAFETY: the caller guarantees room for all vectors in both.
        unsafe {
            for at in (0..self.vectors).map(|vector| vector * LANES) {
                V::load(self.sum.add(at)).add(V::load(self.term.add(at))).store(self.sum.add(at));
            }
        }
    }
}
