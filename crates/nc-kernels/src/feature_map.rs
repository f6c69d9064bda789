use std::fmt;

use candle_core::{DType, Device, Result, Tensor};
use nc_cuda::Precision;

use crate::gpu::{self, OnGpu};
use crate::graph::{self, Blocked, Dims};
use crate::kernels::Kernels;
use crate::{Error, composed, isa};

/// Activations (N, C, H, W) inside a network.
///
/// The memory layout is private; convert with [`FeatureMap::from_images`] and [`FeatureMap::to_tensor`]. Cloning is
/// cheap and shares the data. Backward passes through the same feature map must not run concurrently; sequential ones
/// are fine.
#[derive(Clone)]
pub struct FeatureMap {
    pub(crate) repr: Repr,
}

/// Representation of the activations.
#[derive(Clone)]
pub(crate) enum Repr {
    /// A Candle tensor. `kernels` process it further if they can read it (f32 on the CPU).
    Tensor { tensor: Tensor, kernels: Option<Kernels> },
    /// Channel blocks, for the vector kernels.
    Blocked(Blocked),
    /// Activations on a GPU.
    Gpu(OnGpu),
}

impl FeatureMap {
    /// Wraps a tensor (N, C, H, W) on any device, without a copy. The gradient with respect to the tensor is computed
    /// only if Candle tracks it. f32 tensors on the CPU are processed by the GPU of [`gpu::start`], if the process has
    /// one. Layers then run when their result becomes a tensor: they read parameters and update running statistics at that
    /// time.
    ///
    /// # Errors
    ///
    /// If the tensor has another rank or no elements, or if NC_KERNELS_ISA is invalid.
    pub fn from_images(images: &Tensor) -> Result<Self> {
        Self::from_images_in(images, Precision::F32)
    }

    /// [`FeatureMap::from_images`] for layers that compute in `precision`.
    ///
    /// # Errors
    ///
    /// As above, and [`Error::Precision`] for a precision other than f32 without a GPU.
    pub fn from_images_in(images: &Tensor, precision: Precision) -> Result<Self> {
        let fast = images.device().is_cpu() && images.dtype() == DType::F32;
        match gpu::device() {
            Some(device) if fast => Self::on_device(images, device, precision),
            _ if !gpu::is_available(precision) => Err(Error::Precision(precision).into()),
            _ => {
                let kernels = if fast { Some(isa::kernels()?) } else { None };
                Self::with_kernels(images, kernels)
            }
        }
    }

    /// [`FeatureMap::from_images`] on the given GPU.
    pub(crate) fn on_device(images: &Tensor, device: &nc_cuda::Device, precision: Precision) -> Result<Self> {
        check_images(images)?;
        Ok(Self::from_gpu(gpu::enter_new(images, device, precision)?))
    }

    /// [`FeatureMap::from_images`] with the given kernels, or Candle's own operations if `None`.
    pub(crate) fn with_kernels(images: &Tensor, kernels: Option<Kernels>) -> Result<Self> {
        check_images(images)?;
        Ok(Self { repr: Repr::Tensor { tensor: images.clone(), kernels } })
    }

    /// Wraps the output of Candle's own operations.
    pub(crate) fn from_composed(tensor: Tensor) -> Self {
        Self { repr: Repr::Tensor { tensor, kernels: None } }
    }

    pub(crate) fn from_blocked(blocked: Blocked) -> Self {
        Self { repr: Repr::Blocked(blocked) }
    }

    pub(crate) fn from_gpu(on_gpu: OnGpu) -> Self {
        Self { repr: Repr::Gpu(on_gpu) }
    }

    /// The activations if they are on a GPU.
    pub(crate) fn on_gpu(&self) -> Option<&OnGpu> {
        match &self.repr {
            Repr::Gpu(on_gpu) => Some(on_gpu),
            _ => None,
        }
    }

    /// Vector kernels for the next operation, if any.
    pub(crate) fn kernels(&self) -> Option<Kernels> {
        match &self.repr {
            Repr::Tensor { kernels, .. } => *kernels,
            Repr::Blocked(blocked) => Some(blocked.node.kernels),
            Repr::Gpu(_) => None,
        }
    }

    /// The activations as channel blocks.
    pub(crate) fn blocked(&self, kernels: Kernels) -> Result<Blocked> {
        match &self.repr {
            Repr::Tensor { tensor, .. } => graph::enter(tensor, kernels),
            Repr::Blocked(blocked) => Ok(blocked.clone()),
            Repr::Gpu(on_gpu) => graph::enter(&gpu::to_tensor(on_gpu)?, kernels),
        }
    }

    /// Images, channels, height and width.
    pub fn dims(&self) -> (usize, usize, usize, usize) {
        match &self.repr {
            Repr::Tensor { tensor, .. } => {
                let dims = tensor.dims();
                (dims[0], dims[1], dims[2], dims[3])
            }
            Repr::Blocked(blocked) => {
                let Dims { n, c, h, w } = blocked.node.dims;
                (n, c, h, w)
            }
            Repr::Gpu(on_gpu) => {
                let of = on_gpu.node.of;
                (of.images, of.channels, of.height, of.width)
            }
        }
    }

    /// Dtype and device of the activations.
    pub(crate) fn storage(&self) -> (DType, &Device) {
        match &self.repr {
            Repr::Tensor { tensor, .. } => (tensor.dtype(), tensor.device()),
            Repr::Blocked(_) | Repr::Gpu(_) => (DType::F32, &Device::Cpu),
        }
    }

    /// Activations as a tensor (N, C, H, W); differentiable.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn to_tensor(&self) -> Result<Tensor> {
        match &self.repr {
            Repr::Tensor { tensor, .. } => Ok(tensor.clone()),
            Repr::Blocked(blocked) => graph::leave(blocked),
            Repr::Gpu(on_gpu) => gpu::to_tensor(on_gpu),
        }
    }

    /// Mean over height and width, (N, C); differentiable.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn global_avg_pool(&self) -> Result<Tensor> {
        match &self.repr {
            Repr::Tensor { tensor, .. } => tensor.mean((2, 3)),
            Repr::Blocked(blocked) => graph::global_average(blocked),
            Repr::Gpu(on_gpu) => gpu::global_average(on_gpu),
        }
    }

    /// Max pooling over `kernel` x `kernel` windows every `stride` pixels, with `padding` pixels of minus infinity
    /// around the image. Differentiable; among equal maxima the first in row order gets the gradient, as in PyTorch.
    ///
    /// # Errors
    ///
    /// If kernel or stride is 0, the padding exceeds half the kernel, or no window fits the image.
    pub fn max_pool(&self, kernel: usize, stride: usize, padding: usize) -> Result<Self> {
        if let Some(on_gpu) = self.on_gpu() {
            return Ok(Self::from_gpu(gpu::max_pool(on_gpu, kernel, stride, padding)?));
        }
        match self.kernels() {
            Some(kernels) => {
                let blocked = graph::max_pool(&self.blocked(kernels)?, kernel, stride, padding)?;
                Ok(Self::from_blocked(blocked))
            }
            None => Ok(Self::from_composed(composed::max_pool(&self.to_tensor()?, kernel, stride, padding)?)),
        }
    }
}

fn check_images(images: &Tensor) -> std::result::Result<(), Error> {
    if images.rank() == 4 && images.elem_count() > 0 {
        Ok(())
    } else {
        Err(Error::NotImages(images.dims().to_vec()))
    }
}

impl fmt::Debug for FeatureMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FeatureMap{:?}", self.dims())
    }
}
