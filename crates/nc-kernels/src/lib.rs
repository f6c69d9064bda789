#![doc = include_str!("../README.md")]
// Vector kernels read and write through raw pointers; every unsafe block documents its soundness.
#![allow(unsafe_code)]
// A vector argument goes through memory unless the function is inlined.
#![allow(clippy::inline_always)]

#[cfg(feature = "mimalloc")]
pub mod allocator;
mod batch_norm;
#[doc(hidden)]
pub mod bench;
mod buffer;
mod composed;
mod conv_norm;
mod element;
mod error;
mod feature_map;
pub mod gpu;
mod graph;
mod isa;
mod kernels;
mod lanes;
mod layer;
mod layout;
mod shape;
pub mod threads;
mod windows;

pub use conv_norm::conv2d;
pub use error::Error;
pub use feature_map::FeatureMap;
pub use isa::{has_bf16_instructions, instruction_set};
pub use layer::{ConvNorm, Mode, Shortcut};
pub use shape::ConvShape;

#[cfg(test)]
mod tests;
