//! Layers on a GPU, by the kernels of [`nc_cuda`].
//!
//! Tensors stay on the CPU: images enter, features and gradients leave. In between, a [`FeatureMap`](crate::FeatureMap)
//! only records its operations; leaving the GPU runs them, with one copy in each direction. Candle sees a token per
//! run, whose backward pass computes the gradients of all layers of the run and copies them back together, except
//! those of [`Resident`] parameters.

mod backward;
mod border;
mod candle;
mod layer;
mod node;
mod on_gpu;
mod process;
mod record;
mod resident;
mod run;

pub use candle::candle_cuda;
pub use nc_cuda::{AdamW, Device, Factors, Precision, Recorded, Recorder, Sgd};
pub use process::{is_started, start, take_unsupported_layers, unsupported_layers};
pub use resident::{Resident, Vector};

pub(crate) use border::{enter_new, enter_with, global_average, max_pool, to_tensor};
pub(crate) use candle::set_candle_tf32;
pub(crate) use layer::{conv_norm, conv2d};
pub(crate) use on_gpu::OnGpu;
pub(crate) use process::{device, note_unsupported};
