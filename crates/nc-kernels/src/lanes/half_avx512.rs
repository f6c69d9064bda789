use std::arch::x86_64::{
    __m128bh, __m128i, __m256, __m256bh, _mm_setzero_si128, _mm_storeu_si128, _mm256_cvtneps_pbh,
    _mm256_cvtpbh_ps, _mm256_dpbf16_ps,
};
use std::mem::transmute;

use half::bf16;

use super::{Kernel, LANES, Lanes, half_avx2::HalfAvx2, vector::instructions};

/// One of thirty-two 256-bit registers, as [`HalfAvx2`]. With `BF16` by instructions for bf16, as
/// [`Avx512Bf16`](super::Avx512Bf16).
#[derive(Clone, Copy)]
pub(crate) struct HalfAvx512<const BF16: bool>(Eight);

type Eight = HalfAvx2<true>;

impl<const BF16: bool> Lanes for HalfAvx512<BF16> {
    const TILE_STRIDE_1: usize = Eight::TILE_STRIDE_1;
    const TILE_STRIDE_2: usize = Eight::TILE_STRIDE_2;
    const TILE_SPREAD: usize = Eight::TILE_SPREAD;
    const ACCUMULATORS: usize = Eight::ACCUMULATORS;
    const POINTWISE: (usize, usize) = Eight::POINTWISE;
    const POINTWISE_GRADIENT: usize = Eight::POINTWISE_GRADIENT;
    const GRADIENT_CHANNELS: usize = Eight::GRADIENT_CHANNELS;
    const GRADIENT_THREE_TAPS: bool = Eight::GRADIENT_THREE_TAPS;
    type Half = Self;
    type Plain = HalfAvx512<false>;

    instructions! {
        fn dot(a: Self, b: Self, c: Self) -> Self {
            if !BF16 {
                return Self(Eight::dot(a.0, b.0, c.0));
            }
            let [a, b] = [a, b].map(|lanes| transmute::<__m256, __m256bh>(lanes.0.0));
            Self(HalfAvx2(_mm256_dpbf16_ps(c.0.0, a, b)))
        }
        fn round_bf16(self) -> Self {
            if !BF16 {
                return Self(self.0.round_bf16());
            }
            Self(HalfAvx2(_mm256_cvtpbh_ps(_mm256_cvtneps_pbh(self.0.0))))
        }
        fn store_bf16(self, to: *mut bf16) {
            if !BF16 {
                return self.0.store_bf16(to);
            }
            _mm_storeu_si128(to.cast(), transmute::<__m128bh, __m128i>(_mm256_cvtneps_pbh(self.0.0)));
            _mm_storeu_si128(to.add(LANES / 2).cast(), _mm_setzero_si128());
        }
        fn zero() -> Self { Self(Eight::zero()) }
        fn load(from: *const f32) -> Self { Self(Eight::load(from)) }
        fn store(self, to: *mut f32) { self.0.store(to); }
        fn splat(from: *const f32) -> Self { Self(Eight::splat(from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(Eight::fma(a.0, b.0, c.0)) }
        fn load_bf16(from: *const bf16) -> Self { Self(Eight::load_bf16(from)) }
        fn pairs(first: *const bf16, second: *const bf16) -> Self { Self(Eight::pairs(first, second)) }
        fn add(self, other: Self) -> Self { Self(self.0.add(other.0)) }
        fn sub(self, other: Self) -> Self { Self(self.0.sub(other.0)) }
        fn mul(self, other: Self) -> Self { Self(self.0.mul(other.0)) }
        fn positive_part(self) -> Self { Self(self.0.positive_part()) }
        fn where_positive(self, mask: Self) -> Self { Self(self.0.where_positive(mask.0)) }
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl")]
        unsafe fn compiled<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<HalfAvx512<false>>() }
        }
        #[target_feature(enable = "avx2,fma,avx512f,avx512vl,avx512bw,avx512bf16")]
        unsafe fn compiled_bf16<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<HalfAvx512<true>>() }
        }
        // SAFETY: the trait's contract guarantees AVX-512F and VL, and with `BF16` also BW and BF16.
        unsafe { if BF16 { compiled_bf16(kernel) } else { compiled(kernel) } }
    }
}
