//! The operations as Candle sees them.
//!
//! Candle sees **tokens**: tensors of one element that order the backward pass. Activations and gradients live in
//! shared [`Node`]s; an operation's backward takes its output's gradient out of the node and adds to those of its
//! inputs, in place. No large tensor passes through Candle's gradient store, which would copy each several times.

mod borders;
mod conv;
mod conv_backward;
mod convolution_pass;
mod input_gradient;
mod job;
mod node;
mod parameters;
mod pool;
mod residual;
mod source;
mod subsample;

pub(crate) use borders::{enter, leave};
pub(crate) use conv::{conv_norm, conv2d};
pub(crate) use node::{Blocked, Dims};
pub(crate) use pool::{global_average, max_pool};

use candle_core::{CpuStorage, DType, Device, Result, Shape, Storage, Tensor, bail};

use crate::kernels::KernelSet;

/// The kernels that a feature map's operations use.
pub(crate) type Kernels = &'static dyn KernelSet;

/// What a token operation hands to Candle.
fn token_storage() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

/// A token that is not tracked; also the gradient of one that is.
fn token() -> Result<Tensor> {
    Tensor::zeros(1, DType::F32, &Device::Cpu)
}

/// The gradient of argument `arg` if it is a tracked token: Candle wants one where it tracks, and none elsewhere.
fn token_gradient(arg: &Tensor) -> Result<Option<Tensor>> {
    if arg.track_op() { token().map(Some) } else { Ok(None) }
}

/// Images in a chunk, the unit of work of a thread: a function of the number of images alone, so that sums are taken
/// in the same order whatever the number of threads.
fn chunk_images(images: usize) -> usize {
    images.div_ceil(16).clamp(1, 8)
}

/// Calls `f` with the values of a contiguous f32 tensor on the CPU.
fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => bail!("expected a contiguous f32 tensor on the CPU"),
    }
}

/// The values of a small f32 tensor on the CPU, of any strides.
fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.detach().flatten_all()?.to_vec1()
}

/// Cuts a slice that may be missing into `count` pieces of `len` values, the last as long as is left.
fn pieces(slice: Option<&mut [f32]>, len: usize, count: usize) -> Vec<Option<&mut [f32]>> {
    match slice {
        Some(slice) => slice.chunks_mut(len).map(Some).collect(),
        None => (0..count).map(|_| None).collect(),
    }
}
