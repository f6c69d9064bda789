//! The layers out of Candle's own operations on NCHW tensors: the path of other devices than the CPU, of other number
//! types than f32 and of strides above 2, and an independent answer to test the vector kernels against.

mod batch_norm;
mod conv;
mod conv_norm;
mod pool;
mod stride;

pub(crate) use conv::conv2d;
pub(crate) use conv_norm::conv_norm;
pub(crate) use pool::max_pool;
