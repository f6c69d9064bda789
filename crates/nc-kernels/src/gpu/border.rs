//! Conversion between tensors and activations on the GPU.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, Error, Layout, Result, Shape, Tensor};
use nc_cuda::{Activations, Buffer, Device, MaxPool, Precision, Reading};

use super::node::Node;
use super::on_gpu::OnGpu;
use super::record::{Enter, Op, Record, reshaped};
use super::run;
use crate::graph::{to_vec, token_gradient};
use crate::windows::pooled_size;

/// Records the conversion of a tensor (N, C, H, W).
pub(super) fn enter(tensor: &Tensor, record: Arc<Record>, precision: Precision) -> Result<OnGpu> {
    let (images, channels, height, width) = tensor.dims4()?;
    let of = Activations { images, channels, height, width, precision };
    let node = Node::new(of, tensor.track_op());
    record.push(Op::Enter(Enter { images: tensor.contiguous()?, out: node.clone() }));
    Ok(OnGpu { node, record })
}

/// A tensor (N, C, H, W) in the record and precision of `like`.
pub(crate) fn enter_with(like: &OnGpu, tensor: &Tensor) -> Result<OnGpu> {
    enter(tensor, like.record.clone(), like.node.of.precision)
}

/// Begins a record with a tensor (N, C, H, W).
pub(crate) fn enter_new(tensor: &Tensor, device: &Device, precision: Precision) -> Result<OnGpu> {
    enter(tensor, Record::new(device), precision)
}

/// Records max pooling.
pub(crate) fn max_pool(x: &OnGpu, window: usize, stride: usize, padding: usize) -> Result<OnGpu> {
    let of = x.node.of;
    let (height, width) = pooled_size((of.height, of.width), window, stride, padding)?;
    let to = reshaped(of, (of.channels, height, width));
    let node = Node::new(to, x.node.tracked);
    if x.node.tracked {
        x.node.add_consumer();
    }
    let pool = MaxPool { from: of, to, window, stride, padding };
    x.record.push(Op::MaxPool { pool, x: x.node.clone(), out: node.clone() });
    Ok(OnGpu { node, record: x.record.clone() })
}

/// Activations as a tensor (N, C, H, W); differentiable.
pub(crate) fn to_tensor(x: &OnGpu) -> Result<Tensor> {
    let of = x.node.of;
    let shape = Shape::from((of.images, of.channels, of.height, of.width));
    leave(x, Form::Planes, shape)
}

/// Mean over height and width, (N, C); differentiable.
pub(crate) fn global_average(x: &OnGpu) -> Result<Tensor> {
    leave(x, Form::Means, Shape::from((x.node.of.images, x.node.of.channels)))
}

/// Form in which activations leave the GPU.
#[derive(Clone, Copy)]
enum Form {
    Planes,
    Means,
}

impl Form {
    fn compute(
        self,
        device: &Device,
        of: Activations,
        (x, reading): (&Buffer, Reading<'_>),
        to: &Buffer,
    ) -> nc_cuda::Result<()> {
        match self {
            Self::Planes => of.to_planes(device, x, reading, to),
            Self::Means => of.global_average(device, x, reading, to),
        }
    }

    /// Adds the gradient `values` to the node's.
    fn add_gradient(self, device: &Device, node: &Node, values: &[f32]) -> nc_cuda::Result<()> {
        let gradient = device.upload(values)?;
        match self {
            Self::Means => node.add_gradient(device, |target, add| {
                node.of.global_average_gradient(device, &gradient, target, add)
            }),
            Self::Planes => {
                let activations = device.buffer(node.of.bytes())?;
                node.of.from_planes(device, &gradient, &activations)?;
                node.give_gradient(device, activations)
            }
        }
    }
}

fn leave(x: &OnGpu, form: Form, shape: Shape) -> Result<Tensor> {
    let OnGpu { node, record } = x;
    if node.tracked {
        node.add_consumer();
    }
    let values = run::run(record, shape.elem_count(), |device, to| {
        // A node without values has a record that failed.
        node.values().map_or(Ok(()), |values| form.compute(device, node.of, values, to))
    })?;
    match record.token().filter(|_| node.tracked) {
        None => Tensor::from_vec(values, shape, &candle_core::Device::Cpu),
        Some(token) => token.apply_op1(Leave {
            node: node.clone(),
            device: record.device.clone(),
            form,
            shape,
            values: Mutex::new(values),
        }),
    }
}

/// Token of the last run -> tensor.
struct Leave {
    node: Arc<Node>,
    device: Device,
    form: Form,
    shape: Shape,
    /// Until Candle takes them.
    values: Mutex<Vec<f32>>,
}

impl CustomOp1 for Leave {
    fn name(&self) -> &'static str {
        "leave_gpu"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = std::mem::take(&mut *self.values.lock().unwrap_or_else(PoisonError::into_inner));
        Ok((CpuStorage::F32(values), self.shape.clone()))
    }

    fn bwd(&self, token: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        self.form.add_gradient(&self.device, &self.node, &to_vec(gradient)?).map_err(Error::wrap)?;
        token_gradient(token)
    }
}
