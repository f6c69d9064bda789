use super::{Kernel, LANES, Lanes};

/// An array that the compiler maps to the available registers (NEON on aarch64, SSE2 on plain x86-64).
#[derive(Clone, Copy)]
#[repr(align(64))]
pub(crate) struct Portable(pub(super) [f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut result = self;
        for (a, b) in result.0.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        result
    }
}

impl Lanes for Portable {
    const TILE_STRIDE_1: usize = 2;
    const TILE_STRIDE_2: usize = 2;
    const TILE_SPREAD: usize = 1;
    const ACCUMULATORS: usize = 2;
    const POINTWISE: (usize, usize) = (2, 1);
    const POINTWISE_GRADIENT: usize = 2;
    const GRADIENT_CHANNELS: usize = 2;
    const GRADIENT_THREE_TAPS: bool = false;
    type Half = Self;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([0.0; LANES])
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller's pointer is valid for sixteen values; an array of f32 has the alignment of f32.
        Self(unsafe { *from.cast::<[f32; LANES]>() })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: as in `load`.
        unsafe { *to.cast::<[f32; LANES]>() = self.0 }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: the caller's pointer is valid for one value.
        Self([unsafe { *from }; LANES])
    }
    #[inline(always)]
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self {
        let mut result = c;
        for lane in 0..LANES {
            // Without a native instruction, `mul_add` is a library call and many times slower.
            result.0[lane] = if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
                a.0[lane].mul_add(b.0[lane], c.0[lane])
            } else {
                a.0[lane] * b.0[lane] + c.0[lane]
            };
        }
        result
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        self.zip(other, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn positive_part(self) -> Self {
        self.zip(self, |a, _| if a < 0.0 { 0.0 } else { a })
    }
    #[inline(always)]
    unsafe fn where_positive(self, mask: Self) -> Self {
        self.zip(mask, |a, m| if m > 0.0 { a } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        // SAFETY: this instruction set is always available; the caller guarantees the kernel's pointers.
        unsafe { kernel.run::<Self>() }
    }
}
