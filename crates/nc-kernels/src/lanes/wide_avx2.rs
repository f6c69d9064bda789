use super::{Avx2, Kernel, Lanes};

/// [`Avx2`] with AVX-512's tile sizes, to test the AVX-512 kernel shapes on processors without it.
#[derive(Clone, Copy)]
pub(crate) struct WideAvx2(Avx2);

// SAFETY, for every block below: the contracts are those of `Avx2`.
impl Lanes for WideAvx2 {
    const TILE_STRIDE_1: usize = 16;
    const TILE_STRIDE_2: usize = 8;
    const TILE_SPREAD: usize = 8;
    const ACCUMULATORS: usize = 16;
    const GRADIENT_CHANNELS: usize = 8;
    const GRADIENT_THREE_TAPS: bool = true;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: see above.
        Self(unsafe { Avx2::zero() })
    }
    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { Avx2::load(from) })
    }
    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see above.
        unsafe { self.0.store(to) }
    }
    #[inline(always)]
    unsafe fn splat(from: *const f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { Avx2::splat(from) })
    }
    #[inline(always)]
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { Avx2::fma(a.0, b.0, c.0) })
    }
    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { self.0.add(other.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { self.0.sub(other.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { self.0.mul(other.0) })
    }
    #[inline(always)]
    unsafe fn positive_part(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { self.0.positive_part() })
    }
    #[inline(always)]
    unsafe fn where_positive(self, mask: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { self.0.where_positive(mask.0) })
    }
    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn compiled<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<WideAvx2>() }
        }
        // SAFETY: see above.
        unsafe { compiled(kernel) }
    }
}
