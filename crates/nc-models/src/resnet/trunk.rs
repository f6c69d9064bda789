use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::{ConvShape, FeatureMap, Shortcut};

use super::block::{BlockShape, ResidualBlock, conv3x3};
use super::config::{ResNetConfig, StageConfig, Stem};
#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{ConvNormLayer, Pass, Result};

/// Consecutive stages.
pub(crate) struct Stages {
    blocks: Vec<ResidualBlock>,
    channels: Vec<usize>,
}

impl Stages {
    /// Stages after a feature map of `in_channels` channels. The blocks of each are named `0`, `1`, ... in its builder.
    pub(crate) fn new<'a>(
        mut in_channels: usize,
        stages: impl IntoIterator<Item = (StageConfig, VarBuilder<'a>)>,
        config: ResNetConfig,
    ) -> Result<Self> {
        let (mut built, mut widths) = (vec![], vec![]);
        for (StageConfig { channels, blocks, stride }, vb) in stages {
            for number in 0..blocks {
                let stride = if number == 0 { stride } else { 1 };
                let shape = BlockShape { in_channels, out_channels: channels, stride };
                built.push(ResidualBlock::new(config, shape, &vb.pp(number))?);
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
    /// The stem's max pooling.
    pool: Option<Pool>,
    stages: Stages,
}

/// Max pooling.
#[derive(Clone, Copy)]
struct Pool {
    window: usize,
    stride: usize,
    padding: usize,
}

/// That of the networks for ImageNet.
const POOL: Pool = Pool { window: 3, stride: 2, padding: 1 };

impl Trunk {
    /// A stem `conv1`, `bn1` and stages `layer1`, `layer2`, ...
    pub(crate) fn new(config: ResNetConfig, stages: &[StageConfig], vb: &VarBuilder<'_>) -> Result<Self> {
        let in_channels = config.in_channels;
        let (stem, pool) = match config.stem {
            Stem::Small(channels) => (conv3x3(in_channels, channels, 1), None),
            Stem::ImageNet => {
                let shape = ConvShape { kernel: 7, padding: 3, ..conv3x3(in_channels, 64, 2) };
                (shape, Some(POOL))
            }
        };
        let named = stages.iter().zip(1..).map(|(&stage, number)| (stage, vb.pp(format!("layer{number}"))));
        Ok(Self {
            stem: ConvNormLayer::new(stem, true, &vb.pp("conv1"), &vb.pp("bn1"))?,
            pool,
            stages: Stages::new(stem.out_channels, named, config)?,
        })
    }

    /// Channels of each stage.
    pub(crate) fn channels(&self) -> &[usize] {
        self.stages.channels()
    }

    pub(crate) fn forward(&self, images: &Tensor, pass: Pass) -> Result<FeatureMap> {
        let images = FeatureMap::from_images_in(images, pass.precision)?;
        let mut x = self.stem.forward(&images, Shortcut::None, pass)?;
        if let Some(Pool { window, stride, padding }) = self.pool {
            x = x.max_pool(window, stride, padding)?;
        }
        self.stages.forward(x, pass)
    }

    /// Multiply-adds on images of `size`, which becomes that of the last feature map.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        let stem = self.stem.multiply_adds(size)?;
        if let Some(pool) = self.pool {
            *size = (pool.output(size.0)?, pool.output(size.1)?);
        }
        Some(stem + self.stages.multiply_adds(size)?)
    }

    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let mut x = self.stem.add_to(graph, images, None)?;
        if let Some(pool) = self.pool {
            x = pool.add_to(graph, &x);
        }
        self.stages.add_to(graph, &x)
    }
}

impl Pool {
    fn output(self, size: usize) -> Option<usize> {
        Some((size + 2 * self.padding).checked_sub(self.window)? / self.stride + 1)
    }

    #[cfg(feature = "onnx")]
    fn add_to(self, graph: &mut Graph, x: &Value) -> Value {
        let [window, stride, padding] = [self.window, self.stride, self.padding].map(|value| value as i64);
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[window; 2])),
            ("strides", Attribute::Ints(&[stride; 2])),
            ("pads", Attribute::Ints(&[padding; 4])),
        ];
        graph.node("MaxPool", "maxpool", &[x], &attributes)
    }
}
