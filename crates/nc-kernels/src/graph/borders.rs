//! Conversion between ordinary tensors and the blocked layout.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::dims::Dims;
use super::node::{Blocked, Node};
use super::token::{token, token_gradient, token_storage};
use super::values::{to_vec, with_values};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::Kernels;
use crate::layout::{to_blocks, to_planes};

/// Converts a tensor (N, C, H, W) to blocks; differentiable.
pub(crate) fn enter<E: Element>(tensor: &Tensor, kernels: Kernels<E>) -> Result<Blocked<E>> {
    let (n, c, h, w) = tensor.dims4()?;
    let dims = Dims { n, c, h, w };
    let tensor = tensor.contiguous()?;
    let data = with_values(&tensor.detach(), |planes| blocked(dims, planes))?;
    let node = Arc::new(Node::new(dims, data, None, kernels));
    let token = if tensor.track_op() { tensor.apply_op1(Enter(node.clone()))? } else { token()? };
    Ok(Blocked { node, token })
}

/// Converts blocks to a tensor (N, C, H, W); differentiable.
pub(crate) fn leave<E: Element>(x: &Blocked<E>) -> Result<Tensor> {
    let op = Leave(x.node.clone());
    if x.consume() { x.token.apply_op1(op) } else { x.token.apply_op1_no_bwd(&op) }
}

fn blocked<E: Element>(dims: Dims, planes: &[f32]) -> Buffer<E> {
    let mut data = Buffer::take(dims.len());
    data.par_chunks_mut(dims.image_len())
        .zip(planes.par_chunks(dims.c * dims.pixels()))
        .for_each(|(image, planes)| to_blocks(planes, dims.pixels(), image));
    data
}

struct Enter<E: Element>(Arc<Node<E>>);

impl<E: Element> CustomOp1 for Enter<E> {
    fn name(&self) -> &'static str {
        "enter_blocks"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(&self, tensor: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let dims = self.0.dims;
        let (gradient, _) = self.0.take_gradient();
        let mut planes = vec![0.0; tensor.elem_count()];
        planes
            .par_chunks_mut(dims.c * dims.pixels())
            .zip(gradient.par_chunks(dims.image_len()))
            .for_each(|(planes, image)| to_planes(image, dims.pixels(), planes));
        Tensor::from_vec(planes, tensor.shape(), &Device::Cpu).map(Some)
    }
}

struct Leave<E: Element>(Arc<Node<E>>);

impl<E: Element> CustomOp1 for Leave<E> {
    fn name(&self) -> &'static str {
        "leave_blocks"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let node = &self.0;
        let Dims { n, c, h, w } = node.dims;
        let mut planes = vec![0.0; n * c * h * w];
        planes.par_chunks_mut(c * h * w).enumerate().for_each_init(
            || Buffer::take(node.scratch_len()),
            |scratch, (index, planes)| to_planes(node.image(index, scratch), h * w, planes),
        );
        Ok((CpuStorage::F32(planes), Shape::from((n, c, h, w))))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let gradient = to_vec(gradient)?;
        self.0.add_gradient(blocked(self.0.dims, &gradient));
        token_gradient(arg)
    }
}
