use std::arch::x86_64::{
    __m256, __m256i, _CMP_GT_OQ, _CMP_UNORD_Q, _mm_loadu_si128, _mm_packus_epi32, _mm_setzero_si128,
    _mm_storeu_si128, _mm256_add_epi32, _mm256_add_ps, _mm256_and_ps, _mm256_and_si256, _mm256_blendv_ps,
    _mm256_castps_si256, _mm256_castsi256_ps, _mm256_castsi256_si128, _mm256_cmp_ps, _mm256_cvtepu16_epi32,
    _mm256_extracti128_si256, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps, _mm256_or_ps,
    _mm256_or_si256, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32,
    _mm256_srli_epi32, _mm256_storeu_ps, _mm256_sub_ps,
};

use half::bf16;

use super::{Kernel, Lanes, vector::instructions};

/// One of sixteen 256-bit registers: the first eight lanes of a block. The others are padding: taken for 0 when loaded, and
/// stored as 0. `WIDE` selects tile sizes for the thirty-two registers of AVX-512.
#[derive(Clone, Copy)]
pub(crate) struct HalfAvx2<const WIDE: bool = false>(pub(super) __m256);

/// Eight bf16 in the lower halves of the lanes.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn lower_halves(from: *const bf16) -> __m256i {
    // SAFETY: the caller's pointer is valid for eight values; the load takes any alignment.
    unsafe { _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast())) }
}

/// [`Lanes::load_bf16`] for eight values.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn load_eight(from: *const bf16) -> __m256 {
    // SAFETY: guaranteed by the caller.
    unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<16>(lower_halves(from))) }
}

/// [`Lanes::round_bf16`] for eight values.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn round_eight(values: __m256) -> __m256 {
    let bits = _mm256_castps_si256(values);
    let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
    let rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
    let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(values, values);
    let quiet = _mm256_or_ps(values, _mm256_castsi256_ps(_mm256_set1_epi32(0x0040_0000)));
    let chosen = _mm256_blendv_ps(_mm256_castsi256_ps(rounded), quiet, nan);
    _mm256_and_ps(chosen, _mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000_u32.cast_signed())))
}

/// [`Lanes::store_bf16`] for eight values.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn store_eight(values: __m256, to: *mut bf16) {
    let upper = _mm256_srli_epi32::<16>(_mm256_castps_si256(round_eight(values)));
    let packed = _mm_packus_epi32(_mm256_castsi256_si128(upper), _mm256_extracti128_si256::<1>(upper));
    // SAFETY: the caller's pointer is valid for eight values; the store takes any alignment.
    unsafe { _mm_storeu_si128(to.cast(), packed) }
}

/// [`Lanes::pairs`] for eight values.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) unsafe fn pair_eight(first: *const bf16, second: *const bf16) -> __m256 {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let upper = _mm256_slli_epi32::<16>(lower_halves(second));
        _mm256_castsi256_ps(_mm256_or_si256(lower_halves(first), upper))
    }
}

/// [`Lanes::dot`] for eight lanes.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn dot_eight(a: __m256, b: __m256, c: __m256) -> __m256 {
    let upper = _mm256_castsi256_ps(_mm256_set1_epi32(0xffff_0000_u32.cast_signed()));
    let sum = _mm256_fmadd_ps(_mm256_and_ps(a, upper), _mm256_and_ps(b, upper), c);
    let [a, b] = [a, b].map(|lanes| _mm256_castsi256_ps(_mm256_slli_epi32::<16>(_mm256_castps_si256(lanes))));
    _mm256_fmadd_ps(a, b, sum)
}

impl<const WIDE: bool> Lanes for HalfAvx2<WIDE> {
    const TILE_STRIDE_1: usize = if WIDE { 16 } else { 8 };
    const TILE_STRIDE_2: usize = 8;
    const TILE_SPREAD: usize = if WIDE { 8 } else { 4 };
    const ACCUMULATORS: usize = if WIDE { 16 } else { 8 };
    const POINTWISE: (usize, usize) = if WIDE { (14, 2) } else { (12, 1) };
    const POINTWISE_GRADIENT: usize = if WIDE { 16 } else { 8 };
    const GRADIENT_CHANNELS: usize = 8;
    const GRADIENT_THREE_TAPS: bool = WIDE;
    type Half = Self;
    type Plain = Self;

    instructions! {
        fn zero() -> Self { Self(_mm256_setzero_ps()) }
        fn load(from: *const f32) -> Self { Self(_mm256_loadu_ps(from)) }
        fn store(self, to: *mut f32) {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), _mm256_setzero_ps());
        }
        fn splat(from: *const f32) -> Self { Self(_mm256_set1_ps(*from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(_mm256_fmadd_ps(a.0, b.0, c.0)) }
        fn dot(a: Self, b: Self, c: Self) -> Self { Self(dot_eight(a.0, b.0, c.0)) }
        fn load_bf16(from: *const bf16) -> Self { Self(load_eight(from)) }
        fn round_bf16(self) -> Self { Self(round_eight(self.0)) }
        fn store_bf16(self, to: *mut bf16) {
            store_eight(self.0, to);
            _mm_storeu_si128(to.add(8).cast(), _mm_setzero_si128());
        }
        fn pairs(first: *const bf16, second: *const bf16) -> Self { Self(pair_eight(first, second)) }
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
        unsafe fn compiled<const WIDE: bool, K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<HalfAvx2<WIDE>>() }
        }
        // SAFETY: the trait's contract guarantees AVX2 and FMA.
        unsafe { compiled::<WIDE, K>(kernel) }
    }
}
