use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CudaStorage, CustomOp3, Layout, MetalStorage, Result, Shape, Tensor, bail};

use crate::ConvShape;

/// Convolution by Candle's conv2d, with gradients that are also convolutions.
///
/// Candle's own input gradient is a transposed convolution: always slow, and wrong for some non-square images.
pub(crate) fn conv2d(x: &Tensor, weight: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let y = grouped(&x.detach(), &weight.detach(), shape)?;
    if !x.track_op() && !weight.track_op() {
        return Ok(y);
    }
    x.apply_op3(weight, &y, ConvGradient { shape })
}

/// Applies Candle's convolution to each group in turn.
fn grouped(x: &Tensor, weight: &Tensor, shape: ConvShape) -> Result<Tensor> {
    let ConvShape { stride, padding, groups, .. } = shape;
    x.contiguous()?.conv2d(&weight.contiguous()?, padding, stride, 1, groups)?.contiguous()
}

/// (x, weight, y) -> y for a precomputed y; carries the gradients of the convolution.
struct ConvGradient {
    shape: ConvShape,
}

impl ConvGradient {
    /// Input gradient: the output gradient with zeros inserted between pixels, convolved with the mirrored kernel
    /// with input and output channels swapped.
    fn input(&self, x: &Tensor, weight: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let ConvShape { kernel, stride, padding, groups, .. } = self.shape;
        let mut spread = grad.clone();
        for dim in [2, 3] {
            spread = insert_zeros(&spread, dim, stride)?;
            let before = kernel - 1 - padding;
            let after = x.dim(dim)? + kernel - 1 - before - spread.dim(dim)?;
            spread = spread.pad_with_zeros(dim, before, after)?;
        }
        let mirrored = weight.flip(&[2, 3])?;
        let mut parts = Vec::with_capacity(groups);
        for (grad, weight) in spread.chunk(groups, 1)?.iter().zip(mirrored.chunk(groups, 0)?) {
            let weight = weight.transpose(0, 1)?.contiguous()?;
            parts.push(grad.contiguous()?.conv2d(&weight, 0, 1, 1, 1)?);
        }
        Tensor::cat(&parts, 1)
    }

    /// Kernel gradient: the input convolved with the output gradient as a dilated kernel, with images in the role of
    /// channels.
    fn kernel(&self, x: &Tensor, grad: &Tensor) -> Result<Tensor> {
        let ConvShape { kernel, stride, padding, groups, .. } = self.shape;
        let mut parts = Vec::with_capacity(groups);
        for (x, grad) in x.chunk(groups, 1)?.iter().zip(grad.chunk(groups, 1)?) {
            let x = x.transpose(0, 1)?.contiguous()?;
            let grad = grad.transpose(0, 1)?.contiguous()?;
            let full = x.conv2d(&grad, padding, 1, stride, 1)?;
            let taps = full.narrow(2, 0, kernel)?.narrow(3, 0, kernel)?;
            parts.push(taps.transpose(0, 1)?.contiguous()?);
        }
        Tensor::cat(&parts, 0)
    }
}

/// Inserts `step` - 1 zeros between neighbours along `dim`.
fn insert_zeros(x: &Tensor, dim: usize, step: usize) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let length = dims[dim];
    if step == 1 || length <= 1 {
        return Ok(x.clone());
    }
    let spread = x.unsqueeze(dim + 1)?.pad_with_zeros(dim + 1, 0, step - 1)?;
    dims[dim] = length * step;
    spread.reshape(dims)?.narrow(dim, 0, (length - 1) * step + 1)
}

/// A forward pass that copies its third argument.
macro_rules! copy_third {
    ($name:ident, $storage:ty) => {
        fn $name(
            &self,
            _: &$storage,
            _: &Layout,
            _: &$storage,
            _: &Layout,
            y: &$storage,
            layout: &Layout,
        ) -> Result<($storage, Shape)> {
            whole(layout)?;
            Ok((y.try_clone(layout)?, layout.shape().clone()))
        }
    };
}

impl CustomOp3 for ConvGradient {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    copy_third!(cpu_fwd, CpuStorage);
    copy_third!(cuda_fwd, CudaStorage);
    copy_third!(metal_fwd, MetalStorage);

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        _result: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (x_value, weight_value) = (x.detach(), weight.detach());
        let dx = x.track_op().then(|| self.input(&x_value, &weight_value, &grad)).transpose()?;
        let dw = weight.track_op().then(|| self.kernel(&x_value, &grad)).transpose()?;
        Ok((dx, dw, None))
    }
}

/// Errors unless the storage, which is copied as a whole, holds exactly the tensor.
fn whole(layout: &Layout) -> Result<()> {
    if layout.is_contiguous() && layout.start_offset() == 0 {
        Ok(())
    } else {
        bail!("conv2d: the output to copy is not contiguous")
    }
}
