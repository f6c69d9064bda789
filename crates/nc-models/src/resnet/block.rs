use candle_nn::VarBuilder;
use nc_kernels::{ConvShape, FeatureMap, Shortcut};

use super::config::{Block, ResNetConfig, Widening};
#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{ConvNormLayer, Pass, Result};

/// relu(f(x) + shortcut(x)), where f is a chain of convolutions with batch norm, and ReLU except after the last.
pub(crate) struct ResidualBlock {
    layers: Vec<ConvNormLayer>,
    last: ConvNormLayer,
    path: ShortcutPath,
    shape: BlockShape,
}

/// Shortcut of a block.
enum ShortcutPath {
    Identity,
    Subsample,
    Projection(ConvNormLayer),
}

/// Shape of a block.
#[derive(Clone, Copy)]
pub(crate) struct BlockShape {
    pub(crate) in_channels: usize,
    pub(crate) out_channels: usize,
    pub(crate) stride: usize,
}

impl Block {
    /// The convolutions before the last, and the last.
    fn convolutions(self, shape: BlockShape) -> (Vec<ConvShape>, ConvShape) {
        let BlockShape { in_channels, out_channels, stride } = shape;
        match self {
            Self::Basic => {
                (vec![conv3x3(in_channels, out_channels, stride)], conv3x3(out_channels, out_channels, 1))
            }
            Self::Bottleneck { groups, width_per_group } => {
                let inner = out_channels / 4 * width_per_group / 64 * groups;
                let middle = ConvShape { groups, ..conv3x3(inner, inner, stride) };
                (vec![conv1x1(in_channels, inner, 1), middle], conv1x1(inner, out_channels, 1))
            }
        }
    }
}

impl ResidualBlock {
    /// A block with parameters `conv1`, `bn1`, `conv2`, ...
    pub(crate) fn new(config: ResNetConfig, shape: BlockShape, vb: &VarBuilder<'_>) -> Result<Self> {
        let BlockShape { in_channels, out_channels, stride } = shape;
        let path = match config.shortcut {
            _ if in_channels == out_channels && stride == 1 => ShortcutPath::Identity,
            Widening::Pad => ShortcutPath::Subsample,
            Widening::Project => {
                let shape = conv1x1(in_channels, out_channels, stride);
                let vb = vb.pp(config.names.shortcut());
                ShortcutPath::Projection(ConvNormLayer::new(shape, false, &vb.pp(0), &vb.pp(1))?)
            }
        };
        let layer = |(number, shape)| {
            let (conv, norm) = (vb.pp(format!("conv{number}")), vb.pp(format!("bn{number}")));
            ConvNormLayer::new(shape, true, &conv, &norm)
        };
        let (first, last) = config.block.convolutions(shape);
        let number = first.len() + 1;
        let layers = (1..).zip(first).map(layer).collect::<Result<_>>()?;
        Ok(Self { layers, last: layer((number, last))?, path, shape })
    }

    pub(crate) fn forward(&self, x: &FeatureMap, pass: Pass) -> Result<FeatureMap> {
        let projected = match &self.path {
            ShortcutPath::Projection(layer) => Some(layer.forward(x, Shortcut::None, pass)?),
            _ => None,
        };
        let shortcut = match (&self.path, &projected) {
            (ShortcutPath::Subsample, _) => Shortcut::Subsample(x, self.shape.stride),
            (_, projected) => Shortcut::Identity(projected.as_ref().unwrap_or(x)),
        };
        let forward = |y: FeatureMap, layer: &ConvNormLayer| layer.forward(&y, Shortcut::None, pass);
        let y = self.layers.iter().try_fold(x.clone(), forward)?;
        self.last.forward(&y, shortcut, pass)
    }

    /// Multiply-adds on a feature map of `size`, which becomes that of the output.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        let projection = match &self.path {
            ShortcutPath::Projection(layer) => layer.multiply_adds(&mut size.clone())?,
            ShortcutPath::Identity | ShortcutPath::Subsample => 0,
        };
        let layers = self.layers.iter().chain([&self.last]);
        let layers = layers.map(|layer| layer.multiply_adds(size)).sum::<Option<u64>>()?;
        Some(projection + layers)
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, x: &Value) -> Result<Value> {
        let shortcut = match &self.path {
            ShortcutPath::Identity => x.clone(),
            ShortcutPath::Subsample => self.add_subsample(graph, x),
            ShortcutPath::Projection(layer) => layer.add_to(graph, x, None)?,
        };
        let y = self.layers.iter().try_fold(x.clone(), |y, layer| layer.add_to(graph, &y, None))?;
        self.last.add_to(graph, &y, Some(&shortcut))
    }

    /// Adds option A to an ONNX graph.
    #[cfg(feature = "onnx")]
    fn add_subsample(&self, graph: &mut Graph, x: &Value) -> Value {
        let BlockShape { in_channels, out_channels, stride } = self.shape;
        let (stride, channels) = (stride as i64, ((out_channels - in_channels) / 2) as i64);
        let integers: [(&str, &[i64]); 5] = [
            ("starts", &[0, 0]),
            ("ends", &[i64::MAX, i64::MAX]),
            ("axes", &[2, 3]),
            ("steps", &[stride, stride]),
            ("pads", &[0, channels, 0, 0, 0, channels, 0, 0]),
        ];
        let [starts, ends, axes, steps, pads] =
            integers.map(|(name, values)| graph.integers(&format!("shortcut.{name}"), values));
        let sliced = graph.node("Slice", "shortcut.pixels", &[x, &starts, &ends, &axes, &steps], &[]);
        graph.node("Pad", "shortcut", &[&sliced, &pads], &[])
    }
}

pub(super) fn conv3x3(in_channels: usize, out_channels: usize, stride: usize) -> ConvShape {
    ConvShape { in_channels, out_channels, kernel: 3, stride, padding: 1, groups: 1 }
}

fn conv1x1(in_channels: usize, out_channels: usize, stride: usize) -> ConvShape {
    ConvShape { in_channels, out_channels, kernel: 1, stride, padding: 0, groups: 1 }
}
