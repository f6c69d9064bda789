#![doc = include_str!("../README.md")]
// Calls of the CUDA driver, of NVRTC and of compiled kernels; every unsafe block states why it is sound.
#![allow(unsafe_code)]

mod api;
mod convert;
mod convolution;
mod cuda;
mod device;
mod driver;
mod elementwise;
#[cfg(feature = "emulator")]
mod emulator;
mod error;
mod graphs;
mod kernel_gradient;
mod norm;
mod nvrtc;
mod parameters;
mod pinned;
mod pool;
mod precision;
mod reading;
mod recorder;
mod residual;
mod shape;
mod source;
mod tile;
mod timing;
mod weight;

pub use convolution::GradientTarget;
pub use device::{Buffer, Device, KernelTime, Uploads};
pub use elementwise::Mask;
#[cfg(feature = "emulator")]
pub use emulator::{Emulator, Launched, Order};
pub use error::{Error, Result};
pub use norm::{Norm, NormGradient, Partial, RawNorm};
pub use parameters::{AdamW, Factors, Parameters, Sgd};
pub use pool::MaxPool;
pub use precision::Precision;
pub use reading::{OutputGradient, Reading};
pub use recorder::{Recorded, Recorder};
pub use residual::Shortcut;
pub use shape::{Activations, Layer};
pub use source::Source;
pub use weight::Weight;
