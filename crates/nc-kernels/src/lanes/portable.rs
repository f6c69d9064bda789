use half::bf16;

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
    type Plain = Self;

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
    unsafe fn dot(a: Self, b: Self, c: Self) -> Self {
        let half = |lanes: Self, shift: u32| {
            Self(lanes.0.map(|value| f32::from_bits(value.to_bits() << shift & 0xffff_0000)))
        };
        // SAFETY: always available.
        unsafe {
            let upper = Self::fma(half(a, 0), half(b, 0), c);
            Self::fma(half(a, 16), half(b, 16), upper)
        }
    }
    #[inline(always)]
    unsafe fn load_bf16(from: *const bf16) -> Self {
        // SAFETY: the caller's pointer is valid for sixteen values; an array of bf16 has the alignment of bf16.
        Self(
            unsafe { *from.cast::<[bf16; LANES]>() }
                .map(|value| f32::from_bits(u32::from(value.to_bits()) << 16)),
        )
    }
    #[inline(always)]
    unsafe fn round_bf16(self) -> Self {
        Self(self.0.map(|value| bf16::from_f32(value).to_f32()))
    }
    #[inline(always)]
    unsafe fn store_bf16(self, to: *mut bf16) {
        // SAFETY: as in `load_bf16`.
        unsafe { *to.cast::<[bf16; LANES]>() = self.0.map(bf16::from_f32) }
    }
    #[inline(always)]
    unsafe fn pairs(first: *const bf16, second: *const bf16) -> Self {
        // SAFETY: the caller's pointers are valid for sixteen values.
        let (first, second) = unsafe { (*first.cast::<[bf16; LANES]>(), *second.cast::<[bf16; LANES]>()) };
        let mut pairs = [0.0; LANES];
        for (lane, pair) in pairs.iter_mut().enumerate() {
            let bits = u32::from(second[lane].to_bits()) << 16 | u32::from(first[lane].to_bits());
            *pair = f32::from_bits(bits);
        }
        Self(pairs)
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
