use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::{
    block::Widening,
    trunk::{StageConfig, Trunk},
};
#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Architecture, Backbone, Error, Pass, Result};

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
    trunk: Trunk,
    features: usize,
}

impl ResNetConfig {
    /// The three stages.
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] for a depth that is not 6n + 2, [`Error::Width`] for width 0.
    pub(crate) fn stages(self) -> Result<[StageConfig; 3]> {
        let Self { depth, width, .. } = self;
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::Depth(depth));
        }
        if width == 0 {
            return Err(Error::Width);
        }
        let blocks = (depth - 2) / 6;
        Ok([(16, 1), (32, 2), (64, 2)].map(|(channels, stride)| StageConfig {
            channels: width * channels,
            blocks,
            stride,
        }))
    }
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
        Self::build(config.in_channels, &config.stages()?, Widening::Pad, vb)
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
        let stages = [(64, 1), (128, 2), (256, 2), (512, 2)];
        let stages = stages.map(|(channels, stride)| StageConfig { channels, blocks: 2, stride });
        Self::build(in_channels, &stages, Widening::Project, vb)
    }

    fn build(
        in_channels: usize,
        stages: &[StageConfig],
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let trunk = Trunk::new(in_channels, stages, widening, vb)?;
        Ok(Self { trunk, features: stages.last().map_or(in_channels, |stage| stage.channels) })
    }
}

impl Backbone for ResNet {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.trunk.forward(images, pass)?.global_avg_pool()?)
    }

    fn feature_dim(&self) -> usize {
        self.features
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let multiply_adds = self.trunk.multiply_adds(&mut (height, width))?;
        Some(Architecture { channels: self.trunk.channels().to_vec(), multiply_adds })
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let x = self.trunk.add_to(graph, images)?;
        Ok(add_pool(graph, "pool", &x))
    }
}

/// Adds global average pooling to an ONNX graph; returns features (N, P).
#[cfg(feature = "onnx")]
pub(crate) fn add_pool(graph: &mut Graph, name: &str, x: &Value) -> Value {
    let pooled = graph.node("GlobalAveragePool", name, &[x], &[]);
    graph.node("Flatten", &format!("{name}.flat"), &[&pooled], &[("axis", Attribute::Int(1))])
}
