//! Recording of convolutions.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use nc_cuda::Layer;

use super::border::enter_with;
use super::node::Node;
use super::on_gpu::OnGpu;
use super::record::{BatchNorm, ConvLayer, Op, reshaped};
use crate::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

/// Convolution of `x`, without batch norm.
pub(crate) fn conv2d(x: &OnGpu, weight: &Tensor, shape: ConvShape) -> Result<OnGpu> {
    let layer = on_device(&x.node, shape)?;
    Ok(record(x, layer, weight, None, None, false))
}

/// relu?(batch_norm(conv(x)) + shortcut).
pub(crate) fn conv_norm(
    of: &ConvNorm<'_>,
    x: &OnGpu,
    shortcut: Shortcut<'_>,
    relu: bool,
    mode: Mode,
) -> Result<OnGpu> {
    let layer = on_device(&x.node, of.shape)?;
    let shortcut = match shortcut {
        Shortcut::None => None,
        Shortcut::Identity(map) => Some((map, 1)),
        Shortcut::Subsample(map, stride) => Some((map, stride)),
    };
    let shortcut = shortcut.map(|(map, stride)| on_record(map, x).map(|node| (node, stride))).transpose()?;
    let shortcut = shortcut.map(|(node, stride)| {
        let shortcut = nc_cuda::Shortcut { from: node.of, to: layer.output, stride };
        (node, shortcut)
    });
    let norm = BatchNorm {
        gamma: of.gamma.clone(),
        beta: of.beta.clone(),
        running_mean: of.running_mean.clone(),
        running_var: of.running_var.clone(),
        epsilon: of.eps,
        momentum: of.momentum,
        train: mode == Mode::Train,
    };
    Ok(record(x, layer, of.weight, Some(norm), shortcut, relu))
}

fn on_device(x: &Node, shape: ConvShape) -> Result<Layer> {
    let (height, width) = shape.output_size(x.of.height, x.of.width)?;
    let output = reshaped(x.of, (shape.out_channels, height, width));
    Ok(Layer { input: x.of, output, kernel: shape.kernel, stride: shape.stride, padding: shape.padding })
}

/// The node of `map` in the record of `x`; activations from elsewhere enter it.
fn on_record(map: &FeatureMap, x: &OnGpu) -> Result<Arc<Node>> {
    match map.on_gpu() {
        Some(map) if Arc::ptr_eq(&map.record, &x.record) && map.node.of.precision == x.node.of.precision => {
            Ok(map.node.clone())
        }
        _ => Ok(enter_with(x, &map.to_tensor()?)?.node),
    }
}

fn record(
    x: &OnGpu,
    layer: Layer,
    weight: &Tensor,
    norm: Option<BatchNorm>,
    shortcut: Option<(Arc<Node>, nc_cuda::Shortcut)>,
    relu: bool,
) -> OnGpu {
    let mut op = ConvLayer {
        layer,
        x: x.node.clone(),
        weight: weight.clone(),
        norm,
        shortcut,
        relu,
        out: Node::new(layer.output, false),
        done: None,
    };
    let inputs = std::iter::once(&op.x).chain(op.shortcut.iter().map(|(node, _)| node));
    let mut tracked = op.parameters().any(Tensor::track_op);
    for node in inputs.filter(|node| node.tracked) {
        node.add_consumer();
        tracked = true;
    }
    op.out = Node::new(layer.output, tracked);
    let out = OnGpu { node: op.out.clone(), record: x.record.clone() };
    x.record.push(Op::Layer(Box::new(op)));
    out
}
