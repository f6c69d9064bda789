//! CIFAR ResNets and classifier heads for [Candle](candle_core), with seeded initialisation and the
//! parameter names of the common PyTorch CIFAR ResNet, so that weights go both ways.
//!
//! A [`Model`] is a [`Backbone`] (images to features) and a [`Head`] (features to logits) over one
//! [`ParamStore`]. A backbone of your own joins by implementing the trait; anything built on
//! [`candle_nn::VarBuilder`] gets its seeded parameters from [`ParamStore::builder`].
//!
//! ```
//! use candle_core::{DType, Device, Tensor};
//! use nc_models::{HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig};
//!
//! # fn main() -> nc_models::Result<()> {
//! let device = Device::Cpu;
//! let params = ParamStore::new(0, &device);
//! let resnet = ResNet::new(ResNetConfig { depth: 20, in_channels: 1 }, &params.builder())?;
//! let model = Model::new(params, resnet, &HeadConfig::Linear, 10)?;
//!
//! let images = Tensor::zeros((2, 1, 28, 28), DType::F32, &device)?;
//! let output = model.forward(&images, Pass::EVAL)?;
//! assert_eq!(output.features.dims(), [2, 64]);
//! assert_eq!(output.logits.dims(), [2, 10]);
//! # Ok(())
//! # }
//! ```

mod backbone;
mod error;
mod head;
mod layer;
mod model;
mod params;
mod random;
mod resnet;

pub use backbone::{Backbone, Pass};
pub use error::{Error, Result};
pub use head::{CosineHead, EtfHead, Head, HeadConfig, LinearHead};
pub use layer::ConvNormLayer;
pub use model::{Model, Output};
pub use nc_kernels::{ConvShape, FeatureMap, Mode, Shortcut};
pub use params::ParamStore;
pub use resnet::{ResNet, ResNetConfig};
