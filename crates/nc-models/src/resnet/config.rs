use crate::{Error, Result};

/// Architecture of a residual network (He et al. 2016): a stem, stages of residual blocks, global average pooling. Each
/// stage after the first halves height and width and doubles the channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Image channels: 3 for colour, 1 for grey.
    pub in_channels: usize,
    /// Layers before the stages.
    pub stem: Stem,
    /// Kind of the residual blocks.
    pub block: Block,
    /// Shortcut of a block whose output has another shape than its input.
    pub shortcut: Widening,
    /// Names of the parameters.
    pub names: Names,
    /// Output channels of the first stage.
    pub channels: usize,
    /// Blocks of each stage; 0 from the first missing stage on.
    pub blocks: [usize; 4],
}

/// Layers before the first stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stem {
    /// For small images: a 3x3 convolution to as many channels, without pooling.
    Small(usize),
    /// That of the networks for ImageNet: a 7x7 convolution with stride 2 to 64 channels, and 3x3 max pooling with
    /// stride 2.
    ImageNet,
}

/// A residual block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// Two 3x3 convolutions, the first with the stride.
    Basic,
    /// Convolutions 1x1, 3x3 with the stride, and 1x1 to four times the block's inner channels at `width_per_group` 64
    /// and one group. The inner channels grow by groups width_per_group / 64, as in ResNeXt (Xie et al. 2017).
    Bottleneck {
        /// Groups of the 3x3 convolution.
        groups: usize,
        /// Channels of each group in the first stage.
        width_per_group: usize,
    },
}

/// Shortcut of a block whose output has another shape than its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widening {
    /// Option A: every stride-th pixel, zero channels on both sides.
    Pad,
    /// Option B: a 1x1 convolution with the block's stride, and batch norm.
    Project,
}

/// Names of projected shortcuts and of the classifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// `shortcut` and `linear`, as common for CIFAR.
    Cifar,
    /// `downsample` and `fc`.
    Torchvision,
}

impl Names {
    pub(crate) fn shortcut(self) -> &'static str {
        match self {
            Self::Cifar => "shortcut",
            Self::Torchvision => "downsample",
        }
    }

    pub(crate) fn head(self) -> &'static str {
        match self {
            Self::Cifar => "linear",
            Self::Torchvision => "fc",
        }
    }
}

/// Blocks with the same number of output channels, of which the first has a stride.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageConfig {
    pub(crate) channels: usize,
    pub(crate) blocks: usize,
    pub(crate) stride: usize,
}

impl ResNetConfig {
    /// The CIFAR ResNet of He et al. (2016), section 4.2, with `depth` = 6n + 2 weighted layers (20, 32, 44, 56): three stages of
    /// n blocks with 16, 32 and 64 channels and parameter-free shortcuts (option A). All channels are multiplied by
    /// `width`: 1 as published, 2 for the wide ResNet-32 of ETF + DR (Yang et al. 2022).
    ///
    /// # Errors
    ///
    /// [`Error::Depth`] for a depth that is not 6n + 2, [`Error::Width`] for width 0.
    pub const fn cifar(depth: usize, in_channels: usize, width: usize) -> Result<Self> {
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::Depth(depth));
        }
        if width == 0 {
            return Err(Error::Width);
        }
        let (channels, blocks) = (16 * width, (depth - 2) / 6);
        Ok(Self {
            in_channels,
            stem: Stem::Small(channels),
            block: Block::Basic,
            shortcut: Widening::Pad,
            names: Names::Cifar,
            channels,
            blocks: [blocks, blocks, blocks, 0],
        })
    }

    /// ResNet-18 with a stem for small images, as common for CIFAR: four stages of two blocks with 64 to 512 channels, and
    /// projected shortcuts. Features have 512 dimensions; 11.2 million parameters with 10 classes.
    pub const fn resnet18_small(in_channels: usize) -> Self {
        Self {
            in_channels,
            stem: Stem::Small(64),
            block: Block::Basic,
            shortcut: Widening::Project,
            names: Names::Cifar,
            channels: 64,
            blocks: [2, 2, 2, 2],
        }
    }

    /// ResNet-18 for ImageNet, torchvision's `resnet18`: 512 features, 11.7 million parameters with 1,000 classes.
    pub const fn resnet18(in_channels: usize) -> Self {
        Self { stem: Stem::ImageNet, names: Names::Torchvision, ..Self::resnet18_small(in_channels) }
    }

    /// ResNet-50, torchvision's `resnet50`: 2,048 features, 25.6 million parameters with 1,000 classes.
    pub const fn resnet50(in_channels: usize) -> Self {
        Self {
            block: Block::Bottleneck { groups: 1, width_per_group: 64 },
            channels: 256,
            blocks: [3, 4, 6, 3],
            ..Self::resnet18(in_channels)
        }
    }

    /// ResNet-152, torchvision's `resnet152`: 2,048 features, 60.2 million parameters with 1,000 classes.
    pub const fn resnet152(in_channels: usize) -> Self {
        Self { blocks: [3, 8, 36, 3], ..Self::resnet50(in_channels) }
    }

    /// ResNeXt-50 32x4d (Xie et al. 2017), torchvision's `resnext50_32x4d`: 2,048 features, 25.0 million parameters with
    /// 1,000 classes.
    pub const fn resnext50_32x4d(in_channels: usize) -> Self {
        let block = Block::Bottleneck { groups: 32, width_per_group: 4 };
        Self { block, ..Self::resnet50(in_channels) }
    }

    /// The stages.
    pub(crate) fn stages(self) -> Vec<StageConfig> {
        let blocks = self.blocks.into_iter().take_while(|&blocks| blocks > 0);
        let stage = |(index, blocks)| {
            let stride = if index == 0 { 1 } else { 2 };
            StageConfig { channels: self.channels << index, blocks, stride }
        };
        blocks.enumerate().map(stage).collect()
    }
}
