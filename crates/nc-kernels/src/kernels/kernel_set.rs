use std::ops::Range;

use super::elementwise::GradientSums;
use super::geometry::Conv;
use super::tile::BlockSums;

/// Operation applied to the convolution's output before it is stored. Slices hold all of the output's channels.
pub(crate) enum Epilogue<'a> {
    /// Nothing.
    Plain,
    /// Sums for the batch statistics; `first` marks the first images added to `sums`.
    Statistics { sums: &'a mut [BlockSums], first: bool },
    /// relu?(y * scale + shift + residual).
    Affine { scale: &'a [f32], shift: &'a [f32], residual: Option<&'a [f32]>, relu: bool },
}

/// Mask of a ReLU: where it passed the gradient.
#[derive(Clone, Copy)]
pub(crate) enum Mask<'a> {
    /// Everywhere: there was no ReLU.
    Open,
    /// Where these values are positive.
    Values(&'a [f32]),
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

/// Kernels of one instruction set. Images are contiguous in their slices (see [`Conv`]); coefficients have one value
/// per channel, padded to whole blocks.
///
/// # Panics
///
/// All functions, if slice lengths do not match.
pub(crate) trait KernelSet: Sync {
    /// Convolves the images `x`; `packed` from [`pack`](super::pack).
    fn convolve(
        &self,
        conv: &Conv,
        x: &[f32],
        packed: &[f32],
        y: &mut [f32],
        epilogue: Epilogue<'_>,
        scratch: &mut [f32],
    );

    /// Computes the gradient `dx` of the images (in blocks) from the output gradient `dy`; `packed` from
    /// [`pack_transposed`](super::pack_transposed).
    fn input_gradient(&self, conv: &Conv, dy: &[f32], packed: &[f32], dx: &mut [f32], scratch: &mut [f32]);

    /// Adds to the packed kernel gradient `dw` of the output blocks `out_blocks`.
    fn kernel_gradient(
        &self,
        conv: &Conv,
        x: &[f32],
        dy: &[f32],
        out_blocks: Range<usize>,
        dw: &mut [f32],
        scratch: &mut [f32],
    );

    /// out = relu?(y * scale + shift + residual) for one image.
    fn normalise(
        &self,
        y: &[f32],
        scale: &[f32],
        shift: &[f32],
        residual: Option<&[f32]>,
        relu: bool,
        out: &mut [f32],
    );

    /// Zeroes the gradient of one image where the mask is closed and accumulates the sums.
    fn mask_and_sum(
        &self,
        gradient: &mut [f32],
        mask: Mask<'_>,
        y: &[f32],
        mean: &[f32],
        sums: &mut [GradientSums],
    );

    /// Batch norm's gradient of one image.
    fn norm_gradient(&self, gradient: &[f32], y: &[f32], by: &NormCoefficients, dy: &mut [f32]);

    /// sum += term.
    fn add(&self, sum: &mut [f32], term: &[f32]);
}

/// The kernels used by a feature map's operations.
pub(crate) type Kernels = &'static dyn KernelSet;
