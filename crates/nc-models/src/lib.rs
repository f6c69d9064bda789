#![doc = include_str!("../README.md")]

mod backbone;
mod batch_norm;
mod bilateral;
mod classifier;
mod error;
mod experts;
mod feature_norm;
mod head;
mod layer;
mod model;
mod network;
#[cfg(feature = "onnx")]
pub mod onnx;
mod params;
mod pretrained;
mod projection;
mod random;
mod resnet;

pub use backbone::{Architecture, Backbone, Pass};
pub use bilateral::Bilateral;
pub use classifier::Classifier;
pub use error::{Error, Result};
pub use experts::{Experts, ExpertsConfig};
pub use feature_norm::NormalizedFeatures;
pub use head::{CosineHead, EtfHead, Head, HeadConfig, LinearHead, ScaledHead};
pub use layer::ConvNormLayer;
pub use model::{Model, Output};
pub use nc_kernels::gpu::Precision;
pub use nc_kernels::{ConvShape, FeatureMap, Mode, Shortcut, gpu, has_bf16_instructions};
pub use network::{Branch, Network};
pub use params::{Group, Param, ParamStore, Role, with_role};
pub use pretrained::Pretrained;
pub use projection::ProjectionConfig;
pub use resnet::{Block, Names, ResNet, ResNetConfig, Stem, Widening};
