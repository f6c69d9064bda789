//! ResNets for small images, and the parts that networks of several branches share.

mod backbone;
mod block;
mod trunk;

#[cfg(feature = "onnx")]
pub(crate) use backbone::add_pool;
pub use backbone::{ResNet, ResNetConfig};
pub(crate) use block::{BasicBlock, Widening};
pub(crate) use trunk::{StageConfig, Stages, Trunk};
