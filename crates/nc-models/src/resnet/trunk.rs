use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::{FeatureMap, Shortcut};

use super::block::{BasicBlock, Widening, conv3x3};
#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{ConvNormLayer, Pass, Result};

/// Blocks with the same number of output channels. The first halves height and width if it increases the channels.
pub(crate) struct Stage {
    blocks: Vec<BasicBlock>,
    channels: usize,
}

impl Stage {
    /// `blocks` blocks named `0`, `1`, ...
    pub(crate) fn new(
        in_channels: usize,
        channels: usize,
        blocks: usize,
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let block = |number: usize| {
            let inputs = if number == 0 { in_channels } else { channels };
            BasicBlock::new(inputs, channels, widening, &vb.pp(number))
        };
        Ok(Self { blocks: (0..blocks).map(block).collect::<Result<_>>()?, channels })
    }
}

/// The stem of a ResNet and its stages, or the first of them.
pub(crate) struct Trunk {
    stem: ConvNormLayer,
    stages: Vec<Stage>,
}

impl Trunk {
    /// A 3x3 stem `conv1`, `bn1` and stages `layer1`, `layer2`, ... of (channels, blocks).
    pub(crate) fn new(
        in_channels: usize,
        stages: &[(usize, usize)],
        widening: Widening,
        vb: &VarBuilder<'_>,
    ) -> Result<Self> {
        let mut channels = stages.first().map_or(in_channels, |stage| stage.0);
        let stem = conv3x3(in_channels, channels, 1);
        let stem = ConvNormLayer::new(stem, true, &vb.pp("conv1"), &vb.pp("bn1"))?;
        let mut built = Vec::with_capacity(stages.len());
        for (number, &(out_channels, blocks)) in stages.iter().enumerate() {
            let vb = vb.pp(format!("layer{}", number + 1));
            built.push(Stage::new(channels, out_channels, blocks, widening, &vb)?);
            channels = out_channels;
        }
        Ok(Self { stem, stages: built })
    }

    /// Channels of each stage.
    pub(crate) fn channels(&self) -> Vec<usize> {
        self.stages.iter().map(|stage| stage.channels).collect()
    }

    pub(crate) fn forward(&self, images: &Tensor, pass: Pass) -> Result<FeatureMap> {
        let images = FeatureMap::from_images(images)?;
        let mut x = self.stem.forward(&images, Shortcut::None, pass)?;
        for block in self.blocks() {
            x = block.forward(&x, pass)?;
        }
        Ok(x)
    }

    /// Multiply-adds on images of `size`, which becomes that of the last feature map.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        let mut sum = self.stem.multiply_adds(size)?;
        for block in self.blocks() {
            sum += block.multiply_adds(size)?;
        }
        Some(sum)
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let mut x = self.stem.add_to(graph, images, None)?;
        for block in self.blocks() {
            x = block.add_to(graph, &x)?;
        }
        Ok(x)
    }

    fn blocks(&self) -> impl Iterator<Item = &BasicBlock> {
        self.stages.iter().flat_map(|stage| &stage.blocks)
    }
}
