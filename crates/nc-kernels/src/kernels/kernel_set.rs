use std::ops::Range;

use super::elementwise::GradientSums;
use super::geometry::Conv;
use super::max_pool::Windows;
use super::tile::BlockSums;

/// Operation applied to the convolution's output before it is stored. Slices hold all of the output's channels.
pub(crate) enum Epilogue<'a, E> {
    /// Nothing.
    Plain,
    /// Sums for the batch statistics; `first` marks the first images added to `sums`.
    Statistics { sums: &'a mut [BlockSums], first: bool },
    /// relu?(y * scale + shift + residual).
    Affine { scale: &'a [f32], shift: &'a [f32], residual: Option<&'a [E]>, relu: bool },
}

/// Mask of a ReLU: where it passed the gradient.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a, E> {
    /// Everywhere: there was no ReLU.
    Open,
    /// Where these values are positive.
    Values(&'a [E]),
    /// Where y * scale + shift is positive.
    Affine { scale: &'a [f32], shift: &'a [f32] },
}

/// Batch norm's gradient: dy = gradient * scale + (y - mean) * slope + offset, each per channel.
pub(crate) struct NormCoefficients {
    pub(crate) mean: Vec<f32>,
    pub(crate) scale: Vec<f32>,
    pub(crate) slope: Vec<f32>,
    pub(crate) offset: Vec<f32>,
}

/// Convolutions over activations of type `E` on one instruction set. Images are contiguous in their slices (see [`Conv`]);
/// products are exact or in f32, sums in f32.
///
/// # Panics
///
/// All functions, if slice lengths do not match.
pub(crate) trait Convolutions<E>: Sync {
    /// Packs a kernel in PyTorch's layout into [`Conv::packed_len`] values for [`Convolutions::convolve`].
    fn pack(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]);

    /// Packs a kernel into [`transposed_len`](super::transposed_len) values for [`Convolutions::input_gradient`].
    fn pack_transposed(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]);

    /// Values of the scratch memory that the other functions need.
    fn scratch_len(&self, conv: &Conv) -> usize;

    /// Convolves the images `x`.
    fn convolve(
        &self,
        conv: &Conv,
        x: &[E],
        packed: &[f32],
        y: &mut [E],
        epilogue: Epilogue<'_, E>,
        scratch: &mut [f32],
    );

    /// Computes the gradient `dx` of the images (in blocks) from the output gradient `dy`.
    fn input_gradient(&self, conv: &Conv, dy: &[E], packed: &[f32], dx: &mut [E], scratch: &mut [f32]);

    /// Adds to the kernel gradient `dw` of the output blocks `out_blocks`, in the layout of [`unpack`](super::unpack).
    fn kernel_gradient(
        &self,
        conv: &Conv,
        x: &[E],
        dy: &[E],
        out_blocks: Range<usize>,
        dw: &mut [f32],
        scratch: &mut [f32],
    );
}

/// Passes over activations of type `E` on one instruction set, in f32. Coefficients have one value per channel, padded to whole
/// blocks.
///
/// # Panics
///
/// All functions, if slice lengths do not match.
pub(crate) trait Elementwise<E>: Sync {
    /// out = relu?(y * scale + shift + residual) for one image.
    fn normalise(
        &self,
        y: &[E],
        scale: &[f32],
        shift: &[f32],
        residual: Option<&[E]>,
        relu: bool,
        out: &mut [E],
    );

    /// gradient = gradient where the mask is open, else 0, for one image; adds to the sums.
    fn mask_and_sum(
        &self,
        gradient: &mut [E],
        mask: Mask<'_, E>,
        y: &[E],
        mean: &[f32],
        sums: &mut [GradientSums],
    );

    /// Batch norm's gradient `dy` for one image.
    fn norm_gradient(&self, gradient: &[E], y: &[E], by: &NormCoefficients, dy: &mut [E]);

    /// Max pooling of one image. `chosen` gets the index of each maximum in the image, unless it is empty.
    fn max_pool(&self, windows: Windows, image: &[E], out: &mut [E], chosen: &mut [u32]);

    /// sum += term.
    fn add(&self, sum: &mut [E], term: &[E]);

    /// sum += term, for sums in f32.
    fn add_f32(&self, sum: &mut [f32], term: &[f32]);
}

/// The kernels of one instruction set for activations of type `E`.
pub(crate) trait KernelSet<E>: Convolutions<E> + Elementwise<E> {}

impl<E, T: Convolutions<E> + Elementwise<E>> KernelSet<E> for T {}

/// The kernels used by a feature map's operations.
pub(crate) type Kernels<E> = &'static dyn KernelSet<E>;
