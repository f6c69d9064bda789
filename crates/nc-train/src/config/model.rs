use nc_models::HeadConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The backbone.
    pub backbone: BackboneKind,
    /// Name of a backbone that a program of your own gave to `train_backbone` in place of `backbone`, which writes it here;
    /// `nclt` cannot build such a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_backbone: Option<String>,
    /// The classifier on its features.
    pub head: HeadConfig,
    /// Whether features pass through batch norm and are then scaled to length 1, for a fixed ETF.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub normalize_features: bool,
}

/// A backbone for small images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// CIFAR ResNet-8, for a first look in seconds.
    ResNet8,
    /// CIFAR ResNet-20.
    ResNet20,
    /// CIFAR ResNet-32, the paper's.
    ResNet32,
    /// CIFAR ResNet-44.
    ResNet44,
    /// CIFAR ResNet-56.
    ResNet56,
    /// CIFAR ResNet-32 with 32, 64 and 128 channels, for a fixed ETF of 100 classes (Yang et al. 2022).
    #[serde(rename = "wide-resnet32")]
    WideResNet32,
    /// ResNet-18 with a 3x3 stem and features of 512 dimensions: some eight times the work of ResNet-32.
    ResNet18,
}
