//! The images that a run is trained and tested on.

use nc_data::Profile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Training and test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Where they come from.
    pub source: DataSource,
    /// Height and width to which images from folders and lists are scaled; absent if all have one size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<[usize; 2]>", inner(range(min = 1, max = 4096)))]
    pub image_size: Option<(usize, usize)>,
    /// Share of each class's training images that is held out to test on, if the source has no test images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub test_fraction: Option<f64>,
    /// How many training images each class keeps, of those that are not held out.
    pub profile: Profile,
    /// Seeds the draw of the training subset (and of a held-out test set), independently of the experiment's seed.
    pub subset_seed: u64,
    /// Zero pixels added on every side before a random crop back to the image's size; 0 for no crop.
    #[schemars(range(max = 4096))]
    pub crop_padding: usize,
    /// Mirror each training image, left to right, with probability 1/2.
    pub flip: bool,
    /// Mean of each channel of pixel / 255, subtracted; empty to take it from the training subset.
    #[serde(default)]
    #[schemars(inner(range(min = -1000, max = 1000)))]
    pub mean: Vec<f32>,
    /// Standard deviation of each channel; empty to take it from the training subset.
    #[serde(default)]
    #[schemars(extend("items" = { "type": "number", "exclusiveMinimum": 0, "maximum": 1000 }))]
    pub std: Vec<f32>,
    /// Training images held out to choose an epoch by; absent for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
}

/// Training images held out, before the profile is applied, to choose an epoch (and the tau of tau-normalisation) by.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Share of each class's images.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub fraction: f64,
    /// Seeds the draw.
    #[serde(default)]
    pub seed: u64,
    /// The measure that is to be largest.
    #[serde(default)]
    pub chosen_by: ValidationMeasure,
}

/// A measure of validation images, which are long-tailed like the training images they are held out of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationMeasure {
    /// Mean over classes of the accuracy of each: what accuracy is on a balanced test set.
    #[default]
    BalancedAccuracy,
    /// Share of all images, most of which are of the largest classes.
    Accuracy,
}

impl ValidationMeasure {
    /// The measure, of the two given.
    pub(crate) fn of(self, accuracy: f64, balanced: f64) -> f64 {
        match self {
            Self::BalancedAccuracy => balanced,
            Self::Accuracy => accuracy,
        }
    }
}

/// A source of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// The long-tailed Fashion-MNIST inside the program.
    FashionMnistLt,
    /// The four idx files of MNIST, Fashion-MNIST and their like.
    Idx,
    /// The binary version of CIFAR-10.
    Cifar10,
    /// The binary version of CIFAR-100, with its 100 fine labels.
    Cifar100,
    /// PNG and JPEG files in a directory for each class.
    ImageFolder,
    /// PNG and JPEG files named in lists of `path label` lines.
    ImageList,
    /// CIFAR-10 from the Hugging Face hub. This and the next two need the feature `hub`.
    HubCifar10,
    /// MNIST from the hub.
    HubMnist,
    /// Fashion-MNIST from the hub.
    HubFashionMnist,
}
