use std::arch::x86_64::{
    __m256, _CMP_GT_OQ, _mm256_add_ps, _mm256_and_ps, _mm256_cmp_ps, _mm256_fmadd_ps, _mm256_loadu_ps,
    _mm256_max_ps, _mm256_mul_ps, _mm256_set1_ps, _mm256_setzero_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use half::bf16;

use super::half_avx2::{dot_eight, load_eight, pair_eight, round_eight, store_eight};
use super::{Kernel, Lanes, half_avx2::HalfAvx2, vector::instructions};

/// Two of sixteen 256-bit registers. `WIDE` selects AVX-512's tile sizes, to test the AVX-512 kernel shapes on
/// processors without it.
#[derive(Clone, Copy)]
pub(crate) struct Avx2<const WIDE: bool = false>(__m256, __m256);

impl<const WIDE: bool> Lanes for Avx2<WIDE> {
    const TILE_STRIDE_1: usize = if WIDE { 16 } else { 4 };
    const TILE_STRIDE_2: usize = if WIDE { 8 } else { 4 };
    const TILE_SPREAD: usize = if WIDE { 8 } else { 2 };
    const ACCUMULATORS: usize = if WIDE { 16 } else { 4 };
    const POINTWISE: (usize, usize) = if WIDE { (14, 2) } else { (6, 1) };
    const POINTWISE_GRADIENT: usize = if WIDE { 16 } else { 6 };
    const GRADIENT_CHANNELS: usize = if WIDE { 8 } else { 4 };
    const GRADIENT_THREE_TAPS: bool = WIDE;
    type Half = HalfAvx2<WIDE>;
    type Plain = Self;
    const HAS_HALF: bool = true;

    instructions! {
        fn zero() -> Self { Self(_mm256_setzero_ps(), _mm256_setzero_ps()) }
        fn load(from: *const f32) -> Self { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
        fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
        fn splat(from: *const f32) -> Self {
            let value = _mm256_set1_ps(*from);
            Self(value, value)
        }
        fn fma(a: Self, b: Self, c: Self) -> Self {
            Self(_mm256_fmadd_ps(a.0, b.0, c.0), _mm256_fmadd_ps(a.1, b.1, c.1))
        }
        fn dot(a: Self, b: Self, c: Self) -> Self {
            Self(dot_eight(a.0, b.0, c.0), dot_eight(a.1, b.1, c.1))
        }
        fn load_bf16(from: *const bf16) -> Self { Self(load_eight(from), load_eight(from.add(8))) }
        fn round_bf16(self) -> Self { Self(round_eight(self.0), round_eight(self.1)) }
        fn store_bf16(self, to: *mut bf16) {
            store_eight(self.0, to);
            store_eight(self.1, to.add(8));
        }
        fn pairs(first: *const bf16, second: *const bf16) -> Self {
            Self(pair_eight(first, second), pair_eight(first.add(8), second.add(8)))
        }
        fn add(self, other: Self) -> Self {
            Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1))
        }
        fn sub(self, other: Self) -> Self {
            Self(_mm256_sub_ps(self.0, other.0), _mm256_sub_ps(self.1, other.1))
        }
        fn mul(self, other: Self) -> Self {
            Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1))
        }
        fn positive_part(self) -> Self {
            let zero = _mm256_setzero_ps();
            Self(_mm256_max_ps(zero, self.0), _mm256_max_ps(zero, self.1))
        }
        fn where_positive(self, mask: Self) -> Self {
            let zero = _mm256_setzero_ps();
            Self(
                _mm256_and_ps(self.0, _mm256_cmp_ps::<_CMP_GT_OQ>(mask.0, zero)),
                _mm256_and_ps(self.1, _mm256_cmp_ps::<_CMP_GT_OQ>(mask.1, zero)),
            )
        }
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx2,fma")]
        unsafe fn compiled<const WIDE: bool, K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<Avx2<WIDE>>() }
        }
        // SAFETY: the trait's contract guarantees AVX2 and FMA.
        unsafe { compiled::<WIDE, K>(kernel) }
    }
}
