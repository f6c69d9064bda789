use crate::ConvShape;
use nc_cuda::Precision;

/// An invalid call of this crate; reaches the caller inside a [`candle_core::Error`].
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input's channels do not match the convolution.
    #[error("convolution expects {expected} input channels, found {found}")]
    Channels {
        /// Channels of the convolution.
        expected: usize,
        /// Channels of the feature map.
        found: usize,
    },
    /// The padded image is smaller than the kernel.
    #[error("kernel {kernel} with padding {padding} does not fit a {height}x{width} image")]
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
    /// The convolution shape is invalid.
    #[error("invalid {shape:?}: {reason}")]
    Shape {
        /// The shape.
        shape: ConvShape,
        /// Reason.
        reason: &'static str,
    },
    /// A parameter's shape does not match the convolution.
    #[error("{name} has shape {found:?}, expected {expected:?}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// Expected shape.
        expected: Vec<usize>,
        /// Found shape.
        found: Vec<usize>,
    },
    /// A tensor's device or dtype differs from that of the images.
    #[error("{name} is {found}, expected {expected} like the images")]
    Storage {
        /// Name of the tensor.
        name: &'static str,
        /// Dtype and device of the images.
        expected: String,
        /// Dtype and device found.
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
        /// Subsampling stride in both directions; 1 for an identity shortcut.
        stride: usize,
    },
    /// Batch statistics of one value per channel: the variance is zero and the output is independent of the input.
    #[error(
        "batch norm in training mode needs more than one value per channel, \
         found N*H*W = 1"
    )]
    OneValuePerChannel,
    /// The environment variable NC_KERNELS_ISA names an unknown instruction set.
    #[error("NC_KERNELS_ISA={0:?}: expected avx512, avx2 or portable")]
    UnknownInstructionSet(String),
    /// The environment variable NC_KERNELS_ISA names an instruction set that this processor lacks.
    #[error("NC_KERNELS_ISA={0}: not supported by this processor")]
    UnsupportedInstructionSet(&'static str),
    /// The process already computes on a GPU.
    #[error("the process already uses a GPU")]
    GpuStarted,
    /// A precision that layers do not have on this device ([`FeatureMap::supports`](crate::FeatureMap::supports)).
    #[error("precision {0} is not available for these tensors on this device")]
    Precision(Precision),
    /// A thread pool of a different size already exists.
    #[error("cannot use {requested} threads: the process already uses {running}")]
    Threads {
        /// Requested threads.
        requested: usize,
        /// Threads of the existing pool.
        running: usize,
    },
    /// A tensor that is not (N, C, H, W), or has no elements.
    #[error("expected a non-empty tensor of shape (N, C, H, W), found {0:?}")]
    NotImages(Vec<usize>),
    /// Invalid max-pooling parameters.
    #[error("max pooling with kernel {kernel}, stride {stride}, padding {padding}: {reason}")]
    Pooling {
        /// Side of the window.
        kernel: usize,
        /// Step of the window.
        stride: usize,
        /// Border on each side.
        padding: usize,
        /// Reason.
        reason: &'static str,
    },
}

impl From<Error> for candle_core::Error {
    fn from(error: Error) -> Self {
        Self::wrap(error)
    }
}
