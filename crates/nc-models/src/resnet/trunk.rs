use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::{FeatureMap, Shortcut};

use super::block::{BasicBlock, Widening, conv3x3};
#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{ConvNormLayer, Pass, Result};

/// Blocks with the same number of output channels, of which the first has a stride.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageConfig {
    pub(crate) channels: usize,
    pub(crate) blocks: usize,
    pub(crate) stride: usize,
}

/// Consecutive stages.
pub(crate) struct Stages {
    blocks: Vec<BasicBlock>,
    channels: Vec<usize>,
}

impl Stages {
    /// Stages after a feature map of `in_channels` channels. The blocks of each are named `0`, `1`, ... in its builder.
    pub(crate) fn new<'a>(
        mut in_channels: usize,
        stages: impl IntoIterator<Item = (StageConfig, VarBuilder<'a>)>,
        widening: Widening,
    ) -> Result<Self> {
        let (mut built, mut widths) = (vec![], vec![]);
        for (StageConfig { channels, blocks, stride }, vb) in stages {
            for number in 0..blocks {
                let stride = if number == 0 { stride } else { 1 };
                built.push(BasicBlock::new(in_channels, channels, stride, widening, &vb.pp(number))?);
                in_channels = channels;
            }
            widths.push(channels);
        }
        Ok(Self { blocks: built, channels: widths })
    }

    /// Output channels of each stage.
    pub(crate) fn channels(&self) -> &[usize] {
        &self.channels
    }

    pub(crate) fn forward(&self, x: FeatureMap, pass: Pass) -> Result<FeatureMap> {
        self.blocks.iter().try_fold(x, |x, block| block.forward(&x, pass))
    }

    /// Multiply-adds on a feature map of `size`, which becomes that of the output.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        self.blocks.iter().map(|block| block.multiply_adds(size)).sum()
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, x: &Value) -> Result<Value> {
        self.blocks.iter().try_fold(x.clone(), |x, block| block.add_to(graph, &x))
    }
}

/// The stem of a ResNet and its stages, or the first of them.
pub(crate) struct Trunk {
    stem: ConvNormLayer,
    stages: Stages,
}

impl Trunk {
    /// A 3x3 stem `conv1`, `bn1` and stages `layer1`, `layer2`, ...
    pub(crate) fn new(
        in_channels: usize,
        stages: &[StageConfig],
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let channels = stages.first().map_or(in_channels, |stage| stage.channels);
        let stem = conv3x3(in_channels, channels, 1);
        let named = stages.iter().zip(1..).map(|(&stage, number)| (stage, vb.pp(format!("layer{number}"))));
        Ok(Self {
            stem: ConvNormLayer::new(stem, true, &vb.pp("conv1"), &vb.pp("bn1"))?,
            stages: Stages::new(channels, named, widening)?,
        })
    }

    /// Channels of each stage.
    pub(crate) fn channels(&self) -> &[usize] {
        self.stages.channels()
    }

    pub(crate) fn forward(&self, images: &Tensor, pass: Pass) -> Result<FeatureMap> {
        let images = FeatureMap::from_images_in(images, pass.precision)?;
        self.stages.forward(self.stem.forward(&images, Shortcut::None, pass)?, pass)
    }

    /// Multiply-adds on images of `size`, which becomes that of the last feature map.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        Some(self.stem.multiply_adds(size)? + self.stages.multiply_adds(size)?)
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let x = self.stem.add_to(graph, images, None)?;
        self.stages.add_to(graph, &x)
    }
}
