use candle_core::{DType, Device};
use nc_models::{FeatureMap, HeadConfig, ProjectionConfig, ResNetConfig};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ensure};

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The backbone.
    pub backbone: BackboneKind,
    /// Name of a custom backbone in place of `backbone`, set by `train_backbone`. `nclt` cannot build such a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_backbone: Option<String>,
    /// SHA-256 of the weights file from which training starts, set by `nclt train --init-from FILE`; absent for random
    /// initialisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init_sha256: Option<String>,
    /// Several branches on a shared trunk; absent for a single branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branches: Option<Branches>,
    /// The classifier head.
    pub head: HeadConfig,
    /// Projection head, whose embeddings contrastive losses act on; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub projection: Option<ProjectionConfig>,
    /// Apply batch norm to the features and scale them to unit norm, for a fixed ETF.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub normalize_features: bool,
    /// Precision of the layers before the features in training; bf16 on the CPU and on GPUs, tf32 on GPUs. Classifier, losses,
    /// optimiser and evaluation are always f32.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    #[schemars(extend("default" = "f32"))]
    pub precision: Precision,
}

/// Precision of training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// f32.
    #[default]
    F32,
    /// Products of values rounded to TF32 (10 bits of mantissa), sums and activations in f32.
    Tf32,
    /// Products and activations in bf16 (7 bits of mantissa), sums in f32.
    Bf16,
}

impl Precision {
    // serde passes a reference.
    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn is_f32(&self) -> bool {
        *self == Self::F32
    }

    /// Checks that layers compute in this precision on `device`.
    pub(crate) fn check(self, device: &Device) -> Result<(), Error> {
        let devices = if self == Self::Bf16 { "cpu or cuda" } else { "cuda or candle-cuda" };
        let precision = nc_models::Precision::from(self);
        ensure(FeatureMap::supports(precision, DType::F32, device), "model.precision", || {
            format!("{precision} requires --device {devices}; or set model.precision=f32")
        })
    }
}

impl From<Precision> for nc_models::Precision {
    fn from(precision: Precision) -> Self {
        match precision {
            Precision::F32 => Self::F32,
            Precision::Tf32 => Self::Tf32,
            Precision::Bf16 => Self::Bf16,
        }
    }
}

/// The branches of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Branches {
    /// The last block of a CIFAR ResNet twice, with a linear classifier on both features (BBN,
    /// [Zhou et al. 2020](https://arxiv.org/abs/1912.02413)). `second_sampler` of a phase feeds the second branch.
    Bilateral,
    /// A ResNet whose last two stages and classifier exist once for each expert, on shared stages; the logits are the mean
    /// of theirs (RIDE, [Wang et al. 2021](https://arxiv.org/abs/2010.01809)).
    Experts {
        /// Number of experts.
        #[schemars(range(min = 1, max = 100))]
        count: usize,
        /// Give the experts' stages three quarters of their channels: 24 and 48 in place of 32 and 64 in ResNet-32.
        reduce_dimension: bool,
    },
}

/// A backbone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// CIFAR ResNet-8, for quick tests.
    ResNet8,
    /// CIFAR ResNet-20.
    ResNet20,
    /// CIFAR ResNet-32, as in the paper.
    ResNet32,
    /// CIFAR ResNet-44.
    ResNet44,
    /// CIFAR ResNet-56.
    ResNet56,
    /// CIFAR ResNet-32 with 32, 64 and 128 channels, for a fixed ETF of 100 classes (Yang et al. 2022).
    #[serde(rename = "wide-resnet32")]
    WideResNet32,
    /// ResNet-18 with a 3x3 stem and 512-dimensional features, about eight times the compute of ResNet-32.
    ResNet18,
    /// ResNet-18 for photographs: a 7x7 stem with stride 2 and max pooling, 512 features, torchvision's names.
    #[serde(rename = "imagenet-resnet18")]
    ImageNetResNet18,
    /// ResNet-50, as torchvision's: for photographs, 2,048 features.
    ResNet50,
    /// ResNet-152, as torchvision's: 2,048 features, for Places-LT.
    ResNet152,
    /// ResNeXt-50 32x4d, as torchvision's and in the paper for ImageNet-LT: 2,048 features.
    #[serde(rename = "resnext50-32x4d")]
    ResNeXt50,
}

impl BackboneKind {
    /// The architecture for images of `in_channels` channels.
    pub(crate) fn config(self, in_channels: usize) -> nc_models::Result<ResNetConfig> {
        let cifar = |depth, width| ResNetConfig::cifar(depth, in_channels, width);
        match self {
            Self::ResNet8 => cifar(8, 1),
            Self::ResNet20 => cifar(20, 1),
            Self::ResNet32 => cifar(32, 1),
            Self::ResNet44 => cifar(44, 1),
            Self::ResNet56 => cifar(56, 1),
            Self::WideResNet32 => cifar(32, 2),
            Self::ResNet18 => Ok(ResNetConfig::resnet18_small(in_channels)),
            Self::ImageNetResNet18 => Ok(ResNetConfig::resnet18(in_channels)),
            Self::ResNet50 => Ok(ResNetConfig::resnet50(in_channels)),
            Self::ResNet152 => Ok(ResNetConfig::resnet152(in_channels)),
            Self::ResNeXt50 => Ok(ResNetConfig::resnext50_32x4d(in_channels)),
        }
    }

    /// Whether it is a CIFAR ResNet.
    pub(crate) fn is_cifar(self) -> bool {
        !matches!(
            self,
            Self::ResNet18 | Self::ImageNetResNet18 | Self::ResNet50 | Self::ResNet152 | Self::ResNeXt50
        )
    }
}
