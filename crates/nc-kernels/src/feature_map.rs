use std::fmt;

use candle_core::{DType, Device, Result, Tensor};
use half::bf16;
use nc_cuda::Precision;

use crate::element::Element;
use crate::gpu::{self, OnGpu};
use crate::graph::{self, Blocked};
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
    Tensor {
        tensor: Tensor,
        kernels: Option<VectorKernels>,
    },
    /// Channel blocks, for the vector kernels.
    F32(Blocked<f32>),
    Bf16(Blocked<bf16>),
    /// Activations on a GPU.
    Gpu(OnGpu),
}

/// Vector kernels by the type of the activations that they read.
#[derive(Clone, Copy)]
pub(crate) enum VectorKernels {
    F32(Kernels<f32>),
    Bf16(Kernels<bf16>),
}

/// Type of activations in channel blocks.
pub(crate) trait Activation: Element {
    /// The blocks, if the representation has this type.
    fn blocked(repr: &Repr) -> Option<&Blocked<Self>>;
    /// The representation.
    fn repr(blocked: Blocked<Self>) -> Repr;
}

impl Activation for f32 {
    fn blocked(repr: &Repr) -> Option<&Blocked<Self>> {
        if let Repr::F32(blocked) = repr { Some(blocked) } else { None }
    }
    fn repr(blocked: Blocked<Self>) -> Repr {
        Repr::F32(blocked)
    }
}

impl Activation for bf16 {
    fn blocked(repr: &Repr) -> Option<&Blocked<Self>> {
        if let Repr::Bf16(blocked) = repr { Some(blocked) } else { None }
    }
    fn repr(blocked: Blocked<Self>) -> Repr {
        Repr::Bf16(blocked)
    }
}

/// Evaluates `$body` for the type of the kernels, with these as `$kernels`.
macro_rules! with_kernels {
    ($vector:expr, $kernels:ident => $body:expr) => {
        match $vector {
            crate::feature_map::VectorKernels::F32($kernels) => $body,
            crate::feature_map::VectorKernels::Bf16($kernels) => $body,
        }
    };
}
pub(crate) use with_kernels;

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

    /// [`FeatureMap::from_images`] for layers that compute in `precision`. In bf16 on the CPU, activations, their gradients
    /// and the operands of vector kernels are rounded to bf16; products, sums, statistics and parameters are f32.
    ///
    /// # Errors
    ///
    /// As above, and [`Error::Precision`] where [`FeatureMap::supports`] is false.
    pub fn from_images_in(images: &Tensor, precision: Precision) -> Result<Self> {
        if !Self::supports(precision, images.dtype(), images.device()) {
            return Err(Error::Precision(precision).into());
        }
        if images.device().is_cuda() {
            gpu::set_candle_tf32(precision == Precision::Tf32);
        }
        let fast = images.device().is_cpu() && images.dtype() == DType::F32;
        let kernels = match (gpu::device(), precision) {
            (Some(device), _) if fast => return Self::on_device(images, device, precision),
            _ if !fast => None,
            (_, Precision::Bf16) => Some(VectorKernels::Bf16(isa::kernels()?.bf16)),
            _ => Some(VectorKernels::F32(isa::kernels()?.f32)),
        };
        Self::with_kernels(images, kernels)
    }

    /// Whether layers compute in `precision` for tensors of this type on this device: in f32 everywhere, in bf16 for f32 on the
    /// CPU, in TF32 for f32 on Candle's CUDA, and on the CPU if the process has a GPU ([`gpu::start`]).
    pub fn supports(precision: Precision, dtype: DType, device: &Device) -> bool {
        let fast = device.is_cpu() && dtype == DType::F32;
        match precision {
            Precision::F32 => true,
            Precision::Bf16 => fast,
            Precision::Tf32 => (fast && gpu::is_started()) || (device.is_cuda() && dtype == DType::F32),
        }
    }

    /// [`FeatureMap::from_images`] on the given GPU.
    pub(crate) fn on_device(images: &Tensor, device: &nc_cuda::Device, precision: Precision) -> Result<Self> {
        check_images(images)?;
        Ok(Self::from_gpu(gpu::enter_new(images, device, precision)?))
    }

    /// [`FeatureMap::from_images`] with the given kernels, or Candle's own operations if `None`.
    pub(crate) fn with_kernels(images: &Tensor, kernels: Option<VectorKernels>) -> Result<Self> {
        check_images(images)?;
        Ok(Self { repr: Repr::Tensor { tensor: images.clone(), kernels } })
    }

    /// Wraps the output of Candle's own operations.
    pub(crate) fn from_composed(tensor: Tensor) -> Self {
        Self { repr: Repr::Tensor { tensor, kernels: None } }
    }

    pub(crate) fn from_blocked<E: Activation>(blocked: Blocked<E>) -> Self {
        Self { repr: E::repr(blocked) }
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
    pub(crate) fn kernels(&self) -> Option<VectorKernels> {
        match &self.repr {
            Repr::Tensor { kernels, .. } => *kernels,
            Repr::F32(blocked) => Some(VectorKernels::F32(blocked.node.kernels)),
            Repr::Bf16(blocked) => Some(VectorKernels::Bf16(blocked.node.kernels)),
            Repr::Gpu(_) => None,
        }
    }

    /// The activations as channel blocks.
    pub(crate) fn blocked<E: Activation>(&self, kernels: Kernels<E>) -> Result<Blocked<E>> {
        match E::blocked(&self.repr) {
            Some(blocked) => Ok(blocked.clone()),
            None => graph::enter(&self.to_tensor()?, kernels),
        }
    }

    /// Images, channels, height and width.
    pub fn dims(&self) -> (usize, usize, usize, usize) {
        match &self.repr {
            Repr::Tensor { tensor, .. } => {
                let dims = tensor.dims();
                (dims[0], dims[1], dims[2], dims[3])
            }
            Repr::F32(Blocked { node, .. }) => node.dims.into(),
            Repr::Bf16(Blocked { node, .. }) => node.dims.into(),
            Repr::Gpu(on_gpu) => {
                let of = on_gpu.node.of;
                (of.images, of.channels, of.height, of.width)
            }
        }
    }

    /// Dtype and device of the parameters.
    pub(crate) fn storage(&self) -> (DType, &Device) {
        match &self.repr {
            Repr::Tensor { tensor, .. } => (tensor.dtype(), tensor.device()),
            Repr::F32(_) | Repr::Bf16(_) | Repr::Gpu(_) => (DType::F32, &Device::Cpu),
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
            Repr::F32(blocked) => graph::leave(blocked),
            Repr::Bf16(blocked) => graph::leave(blocked),
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
            Repr::F32(blocked) => graph::global_average(blocked),
            Repr::Bf16(blocked) => graph::global_average(blocked),
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
            Some(kernels) => with_kernels!(kernels, kernels => {
                let blocked = graph::max_pool(&self.blocked(kernels)?, kernel, stride, padding)?;
                Ok(Self::from_blocked(blocked))
            }),
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
