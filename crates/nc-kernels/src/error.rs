use crate::ConvShape;

/// What can be wrong with a call of this crate; reaches the caller inside a [`candle_core::Error`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input has another number of channels than the convolution.
    #[error("convolution of {expected} channels got a feature map of {found}")]
    Channels {
        /// Channels of the convolution.
        expected: usize,
        /// Channels of the feature map.
        found: usize,
    },
    /// The padded image is smaller than the kernel.
    #[error("kernel {kernel} with padding {padding} does not fit an image of {height}x{width}")]
    ImageTooSmall {
        /// Side of the kernel.
        kernel: usize,
        /// Zeros added on each side.
        padding: usize,
        /// Height of the image.
        height: usize,
        /// Width of the image.
        width: usize,
    },
    /// The shape itself makes no sense.
    #[error("{shape:?} is not a convolution: {reason}")]
    Shape {
        /// The shape.
        shape: ConvShape,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A parameter's tensor has another shape than the convolution asks for.
    #[error("{name} has shape {found:?}, expected {expected:?}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// Shape asked for.
        expected: Vec<usize>,
        /// Shape found.
        found: Vec<usize>,
    },
    /// Something lies on another device than the images, or has another number type.
    #[error("{name} is {found}, the images are {expected}")]
    Storage {
        /// What it is.
        name: &'static str,
        /// Number type and device of the images.
        expected: String,
        /// Number type and device found.
        found: String,
    },
    /// The shortcut cannot be added to the layer's output.
    #[error(
        "shortcut of shape {found:?} cannot be added to an output of shape {expected:?} (N, C, H, W), \
         subsampled by {stride}"
    )]
    Shortcut {
        /// Shape of the output.
        expected: (usize, usize, usize, usize),
        /// Shape of the shortcut.
        found: (usize, usize, usize, usize),
        /// The stride: one pixel in so many is taken, in both directions; 1 for an identity shortcut.
        stride: usize,
    },
    /// Batch statistics of one value per channel: the variance is zero and the output does not depend on the input.
    #[error(
        "batch norm in training mode needs more than one value per channel, \
         found one image of 1x1 pixels per channel (N*H*W = 1)"
    )]
    OneValuePerChannel,
    /// The environment variable NC_KERNELS_ISA names an unknown instruction set.
    #[error("NC_KERNELS_ISA={0:?}: expected avx512, avx2 or portable")]
    UnknownInstructionSet(String),
    /// The environment variable NC_KERNELS_ISA names an instruction set this processor lacks.
    #[error("NC_KERNELS_ISA={0}: this processor does not have it")]
    UnsupportedInstructionSet(&'static str),
    /// Another number of threads is in use already.
    #[error("cannot use {requested} threads: the process already runs {running}")]
    Threads {
        /// Threads asked for.
        requested: usize,
        /// Threads of the existing pool.
        running: usize,
    },
    /// A tensor that is not (N, C, H, W), or has no elements.
    #[error("expected a non-empty tensor of shape (N, C, H, W), found {0:?}")]
    NotImages(Vec<usize>),
    /// A pooling window that does not exist.
    #[error("max pooling with kernel {kernel}, stride {stride}, padding {padding}: {reason}")]
    Pooling {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        Self::wrap(error)
    }
}
