use std::arch::x86_64::{
    __m256bh, __m256i, __m512, __m512bh, _mm256_storeu_si256, _mm512_castsi512_ps, _mm512_cvtneps_pbh,
    _mm512_cvtpbh_ps, _mm512_dpbf16_ps, _mm512_loadu_si512, _mm512_permutexvar_epi16, _mm512_set_epi64,
};
use std::mem::transmute;

use half::bf16;

use super::{Avx512, Kernel, Lanes, half_avx512::HalfAvx512, vector::instructions};

/// [`Avx512`] on a processor with instructions for bf16. They give the same results, except that numbers below 2^-126 are
/// treated as 0.
#[derive(Clone, Copy)]
pub(crate) struct Avx512Bf16(Avx512);

impl Lanes for Avx512Bf16 {
    const TILE_STRIDE_1: usize = Avx512::TILE_STRIDE_1;
    const TILE_STRIDE_2: usize = Avx512::TILE_STRIDE_2;
    const TILE_SPREAD: usize = Avx512::TILE_SPREAD;
    const ACCUMULATORS: usize = Avx512::ACCUMULATORS;
    const POINTWISE: (usize, usize) = Avx512::POINTWISE;
    const POINTWISE_GRADIENT: usize = Avx512::POINTWISE_GRADIENT;
    const GRADIENT_CHANNELS: usize = Avx512::GRADIENT_CHANNELS;
    const GRADIENT_THREE_TAPS: bool = Avx512::GRADIENT_THREE_TAPS;
    type Half = HalfAvx512<true>;
    type Plain = Avx512;
    const HAS_HALF: bool = true;

    instructions! {
        fn dot(a: Self, b: Self, c: Self) -> Self {
            let [a, b] = [a, b].map(|lanes| transmute::<__m512, __m512bh>(lanes.0.0));
            Self(Avx512(_mm512_dpbf16_ps(c.0.0, a, b)))
        }
        fn round_bf16(self) -> Self { Self(Avx512(_mm512_cvtpbh_ps(_mm512_cvtneps_pbh(self.0.0)))) }
        fn store_bf16(self, to: *mut bf16) {
            _mm256_storeu_si256(to.cast(), transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(self.0.0)));
        }
        fn adjacent_pairs(from: *const bf16) -> Self {
            let order = _mm512_set_epi64(
                0x001f_000f_001e_000e, 0x001d_000d_001c_000c, 0x001b_000b_001a_000a, 0x0019_0009_0018_0008,
                0x0017_0007_0016_0006, 0x0015_0005_0014_0004, 0x0013_0003_0012_0002, 0x0011_0001_0010_0000,
            );
            let pairs = _mm512_permutexvar_epi16(order, _mm512_loadu_si512(from.cast()));
            Self(Avx512(_mm512_castsi512_ps(pairs)))
        }
        fn zero() -> Self { Self(Avx512::zero()) }
        fn load(from: *const f32) -> Self { Self(Avx512::load(from)) }
        fn store(self, to: *mut f32) { self.0.store(to); }
        fn splat(from: *const f32) -> Self { Self(Avx512::splat(from)) }
        fn fma(a: Self, b: Self, c: Self) -> Self { Self(Avx512::fma(a.0, b.0, c.0)) }
        fn load_bf16(from: *const bf16) -> Self { Self(Avx512::load_bf16(from)) }
        fn pairs(first: *const bf16, second: *const bf16) -> Self { Self(Avx512::pairs(first, second)) }
        fn add(self, other: Self) -> Self { Self(self.0.add(other.0)) }
        fn sub(self, other: Self) -> Self { Self(self.0.sub(other.0)) }
        fn mul(self, other: Self) -> Self { Self(self.0.mul(other.0)) }
        fn positive_part(self) -> Self { Self(self.0.positive_part()) }
        fn where_positive(self, mask: Self) -> Self { Self(self.0.where_positive(mask.0)) }
    }

    #[inline(always)]
    unsafe fn enter<K: Kernel>(kernel: K) {
        #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
        unsafe fn compiled<K: Kernel>(kernel: K) {
            // SAFETY: this is the entry function that `Kernel::run` requires.
            unsafe { kernel.run::<Avx512Bf16>() }
        }
        // SAFETY: the trait's contract guarantees AVX-512F, BW and BF16.
        unsafe { compiled(kernel) }
    }
}
