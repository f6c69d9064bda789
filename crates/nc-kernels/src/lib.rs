//! Fast CPU layers for Candle: convolution, batch norm, residual and ReLU as one differentiable operation.
//!
//! The unit of composition is [`ConvNorm::forward`], relu(batch_norm(conv(x)) + shortcut), on a [`FeatureMap`].
//! On the CPU a feature map lives in a layout of this crate's own and the work is done by vector kernels chosen
//! at run time ([`instruction_set`]); on other devices, for number types other than f32 and for strides above 2, the
//! same calls use Candle's own operations.
// Vector kernels read and write through raw pointers; every unsafe block states why it is sound.
#![allow(unsafe_code)]
// A vector that is handed to a function instead of inlined goes through memory.
#![allow(clippy::inline_always)]

mod batch_norm;
#[doc(hidden)]
pub mod bench;
mod buffer;
mod composed;
mod conv_norm;
mod error;
mod feature_map;
mod graph;
mod isa;
mod kernels;
mod lanes;
mod layout;
mod shape;
pub mod threads;

pub use conv_norm::{ConvNorm, Mode, Shortcut, conv2d};
pub use error::Error;
pub use feature_map::FeatureMap;
pub use isa::instruction_set;
pub use shape::ConvShape;

#[cfg(test)]
mod tests;
