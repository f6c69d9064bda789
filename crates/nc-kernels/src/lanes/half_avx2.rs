use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm256_add_ps, _mm256_and_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::{Kernel, Lanes, vector::instructions};

/// One of sixteen 256-bit registers: the first eight lanes of a block. The others are padding: taken for 0 when loaded, and
/// stored as 0.
#[derive(Clone, Copy)]
pub(crate) struct HalfAvx2(__m256);

impl Lanes for HalfAvx2 {
    const TILE_STRIDE_1: usize = 8;
    const TILE_STRIDE_2: usize = 8;
    const TILE_SPREAD: usize = 4;
    const ACCUMULATORS: usize = 8;
    const POINTWISE: (usize, usize) = (12, 1);
    const POINTWISE_GRADIENT: usize = 8;
    const GRADIENT_CHANNELS: usize = 8;
    const GRADIENT_THREE_TAPS: bool = false;
    type Half = Self;

    instructions! {
        fn zero() -> Self { Self(_mm256_setzero_ps()) }
        fn load(from: *const f32) -> Self { Self(_mm256_loadu_ps(from)) }
        fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), _mm256_setzero_ps());
        }
        fn splat(from: *const f32) -> Self { Self(_mm256_set1_ps(*from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(_mm256_fmadd_ps(a.0, b.0, c.0)) }
        fn add(self, other: Self) -> Self { Self(_mm256_add_ps(self.0, other.0)) }
        fn sub(self, other: Self) -> Self { Self(_mm256_sub_ps(self.0, other.0)) }
        fn mul(self, other: Self) -> Self { Self(_mm256_mul_ps(self.0, other.0)) }
        fn positive_part(self) -> Self { Self(_mm256_max_ps(_mm256_setzero_ps(), self.0)) }
        fn where_positive(self, mask: Self) -> Self {
            Self(_mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(mask.0, _mm256_setzero_ps())))
        }
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn compiled<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<HalfAvx2>() }
        }
        // SAFETY: the trait's contract guarantees AVX2 and FMA.
        unsafe { compiled(kernel) }
    }
}
