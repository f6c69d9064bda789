/// Number of f32 in a vector, and of channels in a block.
pub(crate) const LANES: usize = 16;

/// Sixteen f32.
///
/// # Safety
///
/// All functions need a processor with the instruction set; pointers must be valid for sixteen values (one for
/// [`Lanes::splat`]) and aligned as an f32 is, not as a vector.
pub(crate) trait Lanes: Copy + Send + Sync + 'static {
    /// Most pixels of a tile of a 3x3 convolution with stride 1 and one block of output channels.
    const TILE_STRIDE_1: usize;
    /// The same with stride 2.
    const TILE_STRIDE_2: usize;
    /// Most pixels of a tile of the input gradient of a convolution with stride 2.
    const TILE_SPREAD: usize;
    /// Accumulators of a tile: pixels times blocks of output channels.
    const ACCUMULATORS: usize;
    /// Input channels of a tile of the kernel gradient.
    const GRADIENT_CHANNELS: usize;
    /// Whether the kernel gradient's tile holds the three taps of a row, or one.
    const GRADIENT_THREE_TAPS: bool;

    unsafe fn zero() -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn store(self, to: *mut f32);
    /// All lanes the value at `from`.
    unsafe fn splat(from: *const f32) -> Self;
    /// a * b + c, rounded once where the instruction set can.
    unsafe fn fma(a: Self, b: Self, c: Self) -> Self;
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn sub(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    /// max(self, 0); NaN stays NaN, so that a run which leaves the numbers is found out.
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
    /// Only from [`Lanes::enter`]; the kernel's own pointers must be valid as it documents.
    unsafe fn run<V: Lanes>(self);
}
