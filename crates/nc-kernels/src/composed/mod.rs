//! Layers composed of Candle's own operations on NCHW tensors. Used for other devices than the CPU, other dtypes than
//! f32 and strides above 2, and as an independent reference for testing the vector kernels.

mod batch_norm;
mod conv;
mod conv_norm;
mod pool;
mod stride;

pub(crate) use conv::conv2d;
pub(crate) use conv_norm::conv_norm;
pub(crate) use pool::max_pool;
