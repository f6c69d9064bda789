use half::bf16;

/// Number of f32 per vector, and of channels per block.
pub(crate) const LANES: usize = 16;

/// Sixteen f32.
///
/// # Safety
///
/// All functions require a processor with the instruction set. Pointers must be valid for sixteen values (one for
/// [`Lanes::splat`]) and aligned for f32, not for the vector.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// Maximum pixels per tile of a 3x3 convolution with stride 1 and one block of output channels.
    const TILE_STRIDE_1: usize;
    /// The same with stride 2.
    const TILE_STRIDE_2: usize;
    /// Maximum pixels per tile of the input gradient of a convolution with stride 2.
    const TILE_SPREAD: usize;
    /// Accumulators per tile: pixels times blocks of output channels.
    const ACCUMULATORS: usize;
    /// Maximum pixels, and blocks of output channels, per tile of a 1x1 convolution.
    const POINTWISE: (usize, usize);
    /// Maximum input channels per tile of the kernel gradient of a 1x1 convolution.
    const POINTWISE_GRADIENT: usize;
    /// Input channels per tile of the kernel gradient.
    const GRADIENT_CHANNELS: usize;
    /// True if the kernel gradient's tile holds the three taps of a row, false for one.
    const GRADIENT_THREE_TAPS: bool;

    /// Vectors for blocks whose last eight channels are padding, if that is faster.
    type Half: Lanes;
    /// The same vectors for kernels in f32, which then exist once.
    type Plain: Lanes;
    /// Whether `Half` is another type.
    const HAS_HALF: bool = false;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// All lanes set to the value at `from`.
    unsafe fn splat(from: *const f32) -> Self;
    /// a * b + c, rounded once where the instruction set supports it.
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self;
    /// c + a * b over the pairs of bf16 in each lane: the upper product first, each addition rounded to f32. Products of
    /// bf16 are exact.
    unsafe fn dot(a: Self, b: Self, c: Self) -> Self;
    /// Sixteen bf16 as f32.
    unsafe fn load_bf16(from: *const bf16) -> Self;
    /// Rounds to bf16, ties to even; NaN stays NaN.
    unsafe fn round_bf16(self) -> Self;
    /// Stores the values of [`Lanes::round_bf16`].
    unsafe fn store_bf16(self, to: *mut bf16);
    /// Sixteen pairs of bf16, for [`Lanes::dot`]: `first` in the lower halves of the lanes, `second` in the upper.
    unsafe fn pairs(first: *const bf16, second: *const bf16) -> Self;
    /// The pairs of sixteen bf16 at `from` and the sixteen that follow.
    #[inline(always)]
    unsafe fn adjacent_pairs(from: *const bf16) -> Self {
        // SAFETY: the caller's pointer is valid for 32 values.
        unsafe { Self::pairs(from, from.add(LANES)) }
    }
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// max(self, 0); NaN stays NaN, so that divergence of a run is detected.
    unsafe fn positive_part(self) -> Self;
    /// self where `mask` > 0, else 0.
    unsafe fn where_positive(self, mask: Self) -> Self;
    /// Runs the kernel in a function compiled for the instruction set.
    unsafe fn enter<K: Kernel>(kernel: K);
}

/// A piece of vector code with its arguments.
pub(crate) trait Kernel {
    /// # Safety
    ///
    /// Call only from [`Lanes::enter`]; the kernel's own pointers must be valid as it documents.
    unsafe fn run<V: Lanes>(self);
}

/// Implements the operations of [`Lanes`] by vector instructions, one unsafe block each.
#[cfg(target_arch = "x86_64")]
macro_rules! instructions {
    ($(fn $name:ident($($args:tt)*) $(-> $out:ty)? { $($body:tt)* })*) => { $(
        #[inline(always)]
        unsafe fn $name($($args)*) $(-> $out)? {
            // SAFETY: the trait's contract guarantees the instruction set and valid pointers; loads and stores take
            // any alignment.
            unsafe { $($body)* }
        }
    )* };
}
#[cfg(target_arch = "x86_64")]
pub(crate) use instructions;
