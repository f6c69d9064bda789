use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::{ConvShape, FeatureMap, Shortcut};

use crate::{Backbone, ConvNormLayer, Error, Pass, Result};

/// Which CIFAR ResNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Number of weighted layers, 6n + 2: 20, 32, 44, 56.
    pub depth: usize,
    /// Channels of an image: 3 for colour, 1 for grey.
    pub in_channels: usize,
    /// Factor on the channels of every stage: 1 as published, 2 for the wide ResNet-32 of ETF + DR (Yang et al. 2022).
    pub width: usize,
}

/// The ResNet for small images of He et al. (2016), section 4.2: a 3x3 stem, three stages of n basic blocks
/// with 16, 32 and 64 channels (times the width), parameter-free (option A) shortcuts, global average pooling. Features
/// have 64 dimensions (times the width).
///
/// Parameters are named as in the common PyTorch implementation: `conv1`, `bn1`, `layer1.0.conv1`,
/// `layer1.0.bn1`, ... Any image height and width will do.
pub struct ResNet {
    stem: ConvNormLayer,
    blocks: Vec<BasicBlock>,
    features: usize,
}

const CHANNELS: [usize; 3] = [16, 32, 64];

impl ResNet {
    /// Builds the network with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] for a depth that is not 6n + 2.
    pub fn new(config: ResNetConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let ResNetConfig { depth, in_channels, width } = config;
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::Depth(depth));
        }
        if width == 0 {
            return Err(Error::Width);
        }
        let stages = CHANNELS.map(|channels| width * channels);
        let blocks_per_stage = (depth - 2) / 6;
        let stem =
            ConvNormLayer::new(conv3x3(in_channels, stages[0], 1), true, &vb.pp("conv1"), &vb.pp("bn1"))?;
        let mut blocks = Vec::with_capacity(3 * blocks_per_stage);
        let mut channels = stages[0];
        for (stage, out_channels) in stages.into_iter().enumerate() {
            let vb = vb.pp(format!("layer{}", stage + 1));
            for block in 0..blocks_per_stage {
                blocks.push(BasicBlock::new(channels, out_channels, &vb.pp(block))?);
                channels = out_channels;
            }
        }
        Ok(Self { stem, blocks, features: stages[2] })
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
}

/// relu(norm(conv(relu(norm(conv(x))))) + shortcut(x)); where the width grows, the image is halved.
struct BasicBlock {
    conv1: ConvNormLayer,
    conv2: ConvNormLayer,
    halves: bool,
}

impl BasicBlock {
    fn new(in_channels: usize, out_channels: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let halves = in_channels != out_channels;
        let first = conv3x3(in_channels, out_channels, if halves { 2 } else { 1 });
        let second = conv3x3(out_channels, out_channels, 1);
        Ok(Self {
            conv1: ConvNormLayer::new(first, true, &vb.pp("conv1"), &vb.pp("bn1"))?,
            conv2: ConvNormLayer::new(second, true, &vb.pp("conv2"), &vb.pp("bn2"))?,
            halves,
        })
    }

    fn forward(&self, x: &FeatureMap, pass: Pass) -> Result<FeatureMap> {
        let shortcut = if self.halves { Shortcut::Subsample(x, 2) } else { Shortcut::Identity(x) };
        let y = self.conv1.forward(x, Shortcut::None, pass)?;
        self.conv2.forward(&y, shortcut, pass)
    }
}

fn conv3x3(in_channels: usize, out_channels: usize, stride: usize) -> ConvShape {
    ConvShape { in_channels, out_channels, kernel: 3, stride, padding: 1, groups: 1 }
}
