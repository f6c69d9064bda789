use candle_nn::VarBuilder;
use nc_kernels::{ConvShape, FeatureMap, Shortcut};

#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{ConvNormLayer, Pass, Result};

/// Shortcut of a block whose output has another shape than its input.
#[derive(Clone, Copy)]
pub(crate) enum Widening {
    /// Option A: every stride-th pixel, zero channels on both sides.
    Pad,
    /// Option B: a 1x1 convolution with the block's stride, and batch norm.
    Project,
}

/// relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)).
pub(crate) struct BasicBlock {
    conv1: ConvNormLayer,
    conv2: ConvNormLayer,
    path: ShortcutPath,
}

/// Shortcut of a block.
enum ShortcutPath {
    Identity,
    Subsample,
    Projection(ConvNormLayer),
}

impl BasicBlock {
    pub(crate) fn new(
        in_channels: usize,
        out_channels: usize,
        stride: usize,
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let path = match widening {
            _ if in_channels == out_channels && stride == 1 => ShortcutPath::Identity,
            Widening::Pad => ShortcutPath::Subsample,
            Widening::Project => {
                let shape = ConvShape { kernel: 1, padding: 0, ..conv3x3(in_channels, out_channels, stride) };
                let vb = vb.pp("shortcut");
                ShortcutPath::Projection(ConvNormLayer::new(shape, false, &vb.pp(0), &vb.pp(1))?)
            }
        };
        let first = conv3x3(in_channels, out_channels, stride);
        let second = conv3x3(out_channels, out_channels, 1);
        Ok(Self {
            conv1: ConvNormLayer::new(first, true, &vb.pp("conv1"), &vb.pp("bn1"))?,
            conv2: ConvNormLayer::new(second, true, &vb.pp("conv2"), &vb.pp("bn2"))?,
            path,
        })
    }

    pub(crate) fn forward(&self, x: &FeatureMap, pass: Pass) -> Result<FeatureMap> {
        let projected = match &self.path {
            ShortcutPath::Projection(layer) => Some(layer.forward(x, Shortcut::None, pass)?),
            _ => None,
        };
        let shortcut = match (&self.path, &projected) {
            (ShortcutPath::Subsample, _) => Shortcut::Subsample(x, self.conv1.shape().stride),
            (_, projected) => Shortcut::Identity(projected.as_ref().unwrap_or(x)),
        };
        let y = self.conv1.forward(x, Shortcut::None, pass)?;
        self.conv2.forward(&y, shortcut, pass)
    }

    /// Multiply-adds on a feature map of `size`, which becomes that of the output.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        let projection = match &self.path {
            ShortcutPath::Projection(layer) => layer.multiply_adds(&mut size.clone())?,
            ShortcutPath::Identity | ShortcutPath::Subsample => 0,
        };
        Some(projection + self.conv1.multiply_adds(size)? + self.conv2.multiply_adds(size)?)
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, x: &Value) -> Result<Value> {
        let shortcut = match &self.path {
            ShortcutPath::Identity => x.clone(),
            ShortcutPath::Subsample => self.add_subsample(graph, x),
            ShortcutPath::Projection(layer) => layer.add_to(graph, x, None)?,
        };
        let y = self.conv1.add_to(graph, x, None)?;
        self.conv2.add_to(graph, &y, Some(&shortcut))
    }

    /// Adds option A to an ONNX graph.
    #[cfg(feature = "onnx")]
    fn add_subsample(&self, graph: &mut Graph, x: &Value) -> Value {
        let ConvShape { in_channels, out_channels, stride, .. } = self.conv1.shape();
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
