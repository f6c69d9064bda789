use std::arch::x86_64::{
    __m512, __m512i, _CMP_GT_OQ, _CMP_UNORD_Q, _mm256_loadu_si256, _mm256_storeu_si256, _mm512_add_epi32,
    _mm512_add_ps, _mm512_and_si512, _mm512_castps_si512, _mm512_castsi512_ps, _mm512_cmp_ps_mask,
    _mm512_cvtepi32_epi16, _mm512_cvtepu16_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_mov_epi32,
    _mm512_maskz_mov_ps, _mm512_max_ps, _mm512_mul_ps, _mm512_or_si512, _mm512_set1_epi32, _mm512_set1_ps,
    _mm512_setzero_ps, _mm512_slli_epi32, _mm512_srli_epi32, _mm512_storeu_ps, _mm512_sub_ps,
};

use half::bf16;

use super::{Kernel, Lanes, half_avx512::HalfAvx512, vector::instructions};

/// One of thirty-two 512-bit registers.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(pub(super) __m512);

/// Sixteen bf16 in the lower halves of the lanes.
#[inline]
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn lower_halves(from: *const bf16) -> __m512i {
    // SAFETY: the caller's pointer is valid for sixteen values; the load takes any alignment.
    unsafe { _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast())) }
}

/// The upper halves of the lanes, as f32.
#[inline]
#[target_feature(enable = "avx512f")]
fn upper_halves(lanes: __m512i) -> __m512 {
    _mm512_castsi512_ps(_mm512_and_si512(lanes, _mm512_set1_epi32(0xffff_0000_u32.cast_signed())))
}

impl Lanes for Avx512 {
    const TILE_STRIDE_1: usize = 16;
    const TILE_STRIDE_2: usize = 8;
    const TILE_SPREAD: usize = 8;
    const ACCUMULATORS: usize = 16;
    const POINTWISE: (usize, usize) = (14, 2);
    const POINTWISE_GRADIENT: usize = 16;
    const GRADIENT_CHANNELS: usize = 8;
    const GRADIENT_THREE_TAPS: bool = true;
    type Half = HalfAvx512<false>;
    type Plain = Self;
    const HAS_HALF: bool = true;

    instructions! {
        fn zero() -> Self { Self(_mm512_setzero_ps()) }
        fn load(from: *const f32) -> Self { Self(_mm512_loadu_ps(from)) }
        fn store(self, to: *mut f32) { _mm512_storeu_ps(to, self.0); }
        fn splat(from: *const f32) -> Self { Self(_mm512_set1_ps(*from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(_mm512_fmadd_ps(a.0, b.0, c.0)) }
        fn dot(a: Self, b: Self, c: Self) -> Self {
            let (a, b) = (_mm512_castps_si512(a.0), _mm512_castps_si512(b.0));
            let upper = _mm512_fmadd_ps(upper_halves(a), upper_halves(b), c.0);
            let [a, b] = [a, b].map(|lanes| _mm512_castsi512_ps(_mm512_slli_epi32::<16>(lanes)));
            Self(_mm512_fmadd_ps(a, b, upper))
        }
        fn load_bf16(from: *const bf16) -> Self {
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(lower_halves(from))))
        }
        fn round_bf16(self) -> Self {
            let bits = _mm512_castps_si512(self.0);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self.0, self.0);
            let quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x0040_0000));
            Self(upper_halves(_mm512_mask_mov_epi32(rounded, nan, quiet)))
        }
        fn store_bf16(self, to: *mut bf16) {
            let upper = _mm512_srli_epi32::<16>(_mm512_castps_si512(self.round_bf16().0));
            _mm256_storeu_si256(to.cast(), _mm512_cvtepi32_epi16(upper));
        }
        fn pairs(first: *const bf16, second: *const bf16) -> Self {
            let upper = _mm512_slli_epi32::<16>(lower_halves(second));
            Self(_mm512_castsi512_ps(_mm512_or_si512(lower_halves(first), upper)))
        }
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
