//! ResNets, and the parts that networks of several branches share.

mod backbone;
mod block;
mod config;
mod trunk;

pub use backbone::ResNet;
#[cfg(feature = "onnx")]
pub(crate) use backbone::add_pool;
pub(crate) use block::{BlockShape, ResidualBlock};
pub(crate) use config::StageConfig;
pub use config::{Block, Names, ResNetConfig, Stem, Widening};
pub(crate) use trunk::{Stages, Trunk};
