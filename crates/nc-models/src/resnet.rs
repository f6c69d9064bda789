use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::{ConvShape, FeatureMap, Shortcut};

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Architecture, Backbone, ConvNormLayer, Error, Pass, Result};

/// Configuration of a CIFAR ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Number of weighted layers, 6n + 2: 20, 32, 44, 56.
    pub depth: usize,
    /// Image channels: 3 for colour, 1 for grey.
    pub in_channels: usize,
    /// Factor on the channels of every stage: 1 as published, 2 for the wide ResNet-32 of ETF + DR (Yang et al. 2022).
    pub width: usize,
}

/// A residual network of basic blocks for small images: a 3x3 stem, stages with more channels and smaller feature maps,
/// global average pooling. Accepts any image height and width.
pub struct ResNet {
    stem: ConvNormLayer,
    blocks: Vec<BasicBlock>,
    /// Channels of each stage.
    stages: Vec<usize>,
    features: usize,
}

impl ResNet {
    /// The CIFAR ResNet of He et al. (2016), section 4.2: three stages of n blocks with 16, 32 and 64 channels (times
    /// the width) and parameter-free shortcuts (option A). Features have 64 dimensions (times the width).
    ///
    /// Parameters are named as in the common PyTorch implementation: `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.bn1`,
    /// ...
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] for a depth that is not 6n + 2, [`Error::Width`] for width 0.
    pub fn new(config: ResNetConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let ResNetConfig { depth, in_channels, width } = config;
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::Depth(depth));
        }
        if width == 0 {
            return Err(Error::Width);
        }
        let stages = [16, 32, 64].map(|channels| width * channels);
        Self::build(in_channels, &stages, (depth - 2) / 6, Widening::Pad, vb)
    }

    /// ResNet-18 (He et al. 2016, table 1) with a stem for small images: a 3x3 convolution of stride 1 without pooling,
    /// four stages of two blocks with 64, 128, 256 and 512 channels, and projection shortcuts (option B: 1x1
    /// convolution and batch norm) where channels increase. Features have 512 dimensions; 11.2 million parameters with
    /// 10 classes.
    ///
    /// Parameters are named as in the common PyTorch implementation for CIFAR: as above, with `layer2.0.shortcut.0` and
    /// `layer2.0.shortcut.1` for the convolution and batch norm of a projection.
    ///
    /// # Errors
    ///
    /// If `in_channels` is 0, or `vb` has parameters of these names with other shapes.
    pub fn resnet18(in_channels: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        Self::build(in_channels, &[64, 128, 256, 512], 2, Widening::Project, vb)
    }

    fn build(
        in_channels: usize,
        stages: &[usize],
        blocks_per_stage: usize,
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let mut channels = stages[0];
        let stem = conv3x3(in_channels, channels, 1);
        let stem = ConvNormLayer::new(stem, true, &vb.pp("conv1"), &vb.pp("bn1"))?;
        let mut blocks = Vec::with_capacity(stages.len() * blocks_per_stage);
        for (stage, &out_channels) in stages.iter().enumerate() {
            let vb = vb.pp(format!("layer{}", stage + 1));
            for block in 0..blocks_per_stage {
                blocks.push(BasicBlock::new(channels, out_channels, widening, &vb.pp(block))?);
                channels = out_channels;
            }
        }
        Ok(Self { stem, blocks, stages: stages.to_vec(), features: channels })
    }
}

impl Backbone for ResNet {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let images = FeatureMap::from_images(images)?;
        let mut x = self.stem.forward(&images, Shortcut::None, pass)?;
        for block in &self.blocks {
            x = block.forward(&x, pass)?;
        }
        Ok(x.global_avg_pool()?)
    }

    fn feature_dim(&self) -> usize {
        self.features
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let mut size = (height, width);
        let mut multiply_adds = self.stem.multiply_adds(&mut size)?;
        for BasicBlock { conv1, conv2, path } in &self.blocks {
            if let ShortcutPath::Projection(layer) = path {
                multiply_adds += layer.multiply_adds(&mut size.clone())?;
            }
            multiply_adds += conv1.multiply_adds(&mut size)? + conv2.multiply_adds(&mut size)?;
        }
        Some(Architecture { channels: self.stages.clone(), multiply_adds })
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let mut x = self.stem.add_to(graph, images, None)?;
        for block in &self.blocks {
            x = block.add_to(graph, &x)?;
        }
        let pooled = graph.node("GlobalAveragePool", "pool", &[&x], &[]);
        Ok(graph.node("Flatten", "pool.flat", &[&pooled], &[("axis", Attribute::Int(1))]))
    }
}

/// Shortcut of a block that increases channels and halves height and width.
#[derive(Clone, Copy)]
enum Widening {
    /// Option A: every second pixel, zero-padded channels.
    Pad,
    /// Option B: a 1x1 convolution of stride 2 and batch norm.
    Project,
}

/// relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)), with stride 2 where channels increase.
struct BasicBlock {
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
    fn new(in_channels: usize, out_channels: usize, widening: Widening, vb: &VarBuilder<'_>) -> Result<Self> {
        let (stride, path) = match widening {
            _ if in_channels == out_channels => (1, ShortcutPath::Identity),
            Widening::Pad => (2, ShortcutPath::Subsample),
            Widening::Project => {
                let shape = ConvShape { kernel: 1, padding: 0, ..conv3x3(in_channels, out_channels, 2) };
                let vb = vb.pp("shortcut");
                (2, ShortcutPath::Projection(ConvNormLayer::new(shape, false, &vb.pp(0), &vb.pp(1))?))
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

    fn forward(&self, x: &FeatureMap, pass: Pass) -> Result<FeatureMap> {
        let projected = match &self.path {
            ShortcutPath::Projection(layer) => Some(layer.forward(x, Shortcut::None, pass)?),
            _ => None,
        };
        let shortcut = match (&self.path, &projected) {
            (ShortcutPath::Subsample, _) => Shortcut::Subsample(x, 2),
            (_, projected) => Shortcut::Identity(projected.as_ref().unwrap_or(x)),
        };
        let y = self.conv1.forward(x, Shortcut::None, pass)?;
        self.conv2.forward(&y, shortcut, pass)
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, x: &Value) -> Result<Value> {
        let shortcut = match &self.path {
            ShortcutPath::Identity => x.clone(),
            ShortcutPath::Subsample => self.add_subsample(graph, x),
            ShortcutPath::Projection(layer) => layer.add_to(graph, x, None)?,
        };
        let y = self.conv1.add_to(graph, x, None)?;
        self.conv2.add_to(graph, &y, Some(&shortcut))
    }

    /// Adds option A to an ONNX graph: every second pixel, then zero channels on both sides.
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

fn conv3x3(in_channels: usize, out_channels: usize, stride: usize) -> ConvShape {
    ConvShape { in_channels, out_channels, kernel: 3, stride, padding: 1, groups: 1 }
}
