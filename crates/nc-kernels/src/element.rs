use half::bf16;
use half::slice::HalfFloatSliceExt;

use crate::lanes::Lanes;

/// Number type of activations in memory. Arithmetic is in f32.
///
/// # Safety
///
/// Every bit pattern is a value, and size and alignment are equal and at most four bytes.
pub(crate) unsafe trait Element: Copy + Send + Sync + 'static {
    const ZERO: Self;
    /// Values per kernel call of a small layer: as many images as fit, at least one.
    const TOGETHER: usize;

    fn to_f32(self) -> f32;
    /// Rounds to the nearest, ties to even.
    fn from_f32(value: f32) -> Self;
    /// The values, if they have this type.
    fn borrow(values: &[f32]) -> Option<&[Self]>;
    /// Rounds as [`Element::from_f32`].
    fn convert(values: &[f32], to: &mut [Self]);
    /// Sixteen values as f32.
    ///
    /// # Safety
    ///
    /// As for [`Lanes::load`].
    unsafe fn load<V: Lanes>(from: *const Self) -> V;
    /// Sixteen values as they are stored.
    ///
    /// # Safety
    ///
    /// As for [`Lanes::add`].
    unsafe fn round<V: Lanes>(values: V) -> V;
    /// Rounds and stores sixteen values.
    ///
    /// # Safety
    ///
    /// As for [`Lanes::store`].
    unsafe fn store<V: Lanes>(values: V, to: *mut Self);
}

// SAFETY: four bytes without invalid patterns.
unsafe impl Element for f32 {
    const ZERO: Self = 0.0;
    // Other numbers change the order of sums, and with it the bits of recorded runs.
    const TOGETHER: usize = 1;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        value
    }
    fn borrow(values: &[f32]) -> Option<&[Self]> {
        Some(values)
    }
    fn convert(values: &[f32], to: &mut [Self]) {
        to.copy_from_slice(values);
    }
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: guaranteed by the caller.
        unsafe { V::load(from) }
    }
    #[inline(always)]
    unsafe fn round<V: Lanes>(values: V) -> V {
        values
    }
    #[inline(always)]
    unsafe fn store<V: Lanes>(values: V, to: *mut Self) {
        // SAFETY: guaranteed by the caller.
        unsafe { values.store(to) }
    }
}

// SAFETY: two bytes without invalid patterns.
unsafe impl Element for bf16 {
    const ZERO: Self = Self::ZERO;
    const TOGETHER: usize = 16 * 1024;

    #[inline(always)]
    fn to_f32(self) -> f32 {
        self.to_f32()
    }
    #[inline(always)]
    fn from_f32(value: f32) -> Self {
        Self::from_f32(value)
    }
    fn borrow(_: &[f32]) -> Option<&[Self]> {
        None
    }
    fn convert(values: &[f32], to: &mut [Self]) {
        to.convert_from_f32_slice(values);
    }
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: guaranteed by the caller.
        unsafe { V::load_bf16(from) }
    }
    #[inline(always)]
    unsafe fn round<V: Lanes>(values: V) -> V {
        // SAFETY: guaranteed by the caller.
        unsafe { values.round_bf16() }
    }
    #[inline(always)]
    unsafe fn store<V: Lanes>(values: V, to: *mut Self) {
        // SAFETY: guaranteed by the caller.
        unsafe { values.store_bf16(to) }
    }
}
