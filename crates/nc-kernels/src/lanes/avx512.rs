use std::arch::x86_64::{
    __m512, _CMP_GT_OQ, _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_fmadd_ps, _mm512_loadu_ps,
    _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_set1_ps, _mm512_setzero_ps, _mm512_storeu_ps,
    _mm512_sub_ps,
};

use super::{Kernel, Lanes, vector::instructions};

/// One of thirty-two 512-bit registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(__m512);

impl Lanes for Avx512 {
    const TILE_STRIDE_1: usize = 16;
    const TILE_STRIDE_2: usize = 8;
    const TILE_SPREAD: usize = 8;
    const ACCUMULATORS: usize = 16;
    const POINTWISE: (usize, usize) = (14, 2);
    const POINTWISE_GRADIENT: usize = 16;
    const GRADIENT_CHANNELS: usize = 8;
    const GRADIENT_THREE_TAPS: bool = true;
    type Half = Self;

    instructions! {
        fn zero() -> Self { Self(_mm512_setzero_ps()) }
        fn load(from: *const f32) -> Self { Self(_mm512_loadu_ps(from)) }
        fn store(self, to: *mut f32) { _mm512_storeu_ps(to, self.0); }
        fn splat(from: *const f32) -> Self { Self(_mm512_set1_ps(*from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(_mm512_fmadd_ps(a.0, b.0, c.0)) }
        fn add(self, other: Self) -> Self { Self(_mm512_add_ps(self.0, other.0)) }
        fn sub(self, other: Self) -> Self { Self(_mm512_sub_ps(self.0, other.0)) }
        fn mul(self, other: Self) -> Self { Self(_mm512_mul_ps(self.0, other.0)) }
        fn positive_part(self) -> Self { Self(_mm512_max_ps(_mm512_setzero_ps(), self.0)) }
        fn where_positive(self, mask: Self) -> Self {
            let positive = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(mask.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(positive, self.0))
        }
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx512f")]
        unsafe fn compiled<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<Avx512>() }
        }
        // SAFETY: the trait's contract guarantees AVX-512F.
        unsafe { compiled(kernel) }
    }
}
