//! Training, validation and test images of a run.

use std::path::PathBuf;

use nc_data::{Groups, Profile, Transform};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Training and test images.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// Source of the images.
    pub source: DataSource,
    /// Height and width to which images from folders and lists are resized; absent if all have the same size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<[usize; 2]>", inner(range(min = 1, max = 4096)))]
    pub image_size: Option<(usize, usize)>,
    /// Turn images from folders and lists as the orientation in their EXIF data says; absent for the default, which is yes
    /// for folders and no for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exif_orientation: Option<bool>,
    /// Decode images from folders and lists for each batch instead of keeping all of them in memory; absent to keep them in
    /// memory. Requires `image_size`, `mean` and `std`. Subsets are ordered by the files' bytes instead of pixels, so the run
    /// is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<Streaming>,
    /// List of images from folders and lists that are left out, as `nclt check DIR --write-skip FILE` writes it; absent for none.
    /// Relative to the data directory. The remaining images, not the list, are part of the run's hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub skip: Option<PathBuf>,
    /// Fraction of each class's training images held out as the test set, for sources without test images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub test_fraction: Option<f64>,
    /// Images from folders and lists that belong together, such as the frames of one video, and stay on one side when
    /// images are held out for testing or validation; absent for none, or for the column `group` of a CSV list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Groups>,
    /// Long-tail profile: the number of training images per class, after holding out.
    pub profile: Profile,
    /// Seed of the training subset and of a held-out test set, independent of `seed`.
    pub subset_seed: u64,
    /// Zero padding in pixels on each side before a random crop to the image size; 0 disables the crop.
    #[schemars(range(max = 4096))]
    pub crop_padding: usize,
    /// Random horizontal flip of training images, with probability 1/2.
    pub flip: bool,
    /// Further random transforms of training images, in order, after crop and flip; evaluation uses none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transforms: Vec<Transform>,
    /// Per-channel mean of pixel / 255 for normalisation; empty to compute it on the training subset.
    #[serde(default)]
    #[schemars(inner(range(min = -1000, max = 1000)))]
    pub mean: Vec<f32>,
    /// Per-channel standard deviation; empty to compute it on the training subset.
    #[serde(default)]
    #[schemars(extend("items" = { "type": "number", "exclusiveMinimum": 0, "maximum": 1000 }))]
    pub std: Vec<f32>,
    /// Validation images, held out of the training images to select an epoch; absent for none. A validation set of the source
    /// is used in any case, and then no images are held out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation: Option<Validation>,
}

/// How streamed images get from their own sizes to `data.image_size`. Crop, flip and other transforms come after that.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Streaming {
    /// Transforms of whole training images: `resize`, `center-crop` and `random-resized-crop` with a size. Absent to scale
    /// each image to just cover `image_size` and crop its centre, as in memory. Common for ImageNet:
    /// `random-resized-crop` to 224.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub training: Vec<Transform>,
    /// Transforms of whole images in evaluation: `resize` and `center-crop`; absent as above. Common for ImageNet:
    /// `resize` to 256, then `center-crop` to 224.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evaluation: Vec<Transform>,
}

/// Validation images, held out before the profile is applied. They select an epoch and the tau of tau-normalisation. Sources
/// with a validation set use that instead, and only `chosen_by` applies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// Fraction of each class's images.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    pub fraction: f64,
    /// Seed of the split.
    #[serde(default)]
    pub seed: u64,
    /// Measure to maximise.
    #[serde(default)]
    pub chosen_by: ValidationMeasure,
}

/// Measure on the validation images, which are long-tailed like the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ValidationMeasure {
    /// Mean of the per-class accuracies; equals accuracy on a balanced test set.
    #[default]
    BalancedAccuracy,
    /// Accuracy over all images, dominated by the largest classes.
    Accuracy,
}

impl ValidationMeasure {
    /// Selects between `accuracy` and `balanced` accuracy.
    pub(crate) fn of(self, accuracy: f64, balanced: f64) -> f64 {
        match self {
            Self::BalancedAccuracy => balanced,
            Self::Accuracy => accuracy,
        }
    }
}

impl DataSource {
    /// True for image files of the user: folders and lists.
    pub(crate) fn is_own_images(self) -> bool {
        matches!(self, Self::ImageFolder | Self::ImageList)
    }
}

/// A source of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DataSource {
    /// Long-tailed Fashion-MNIST, built into the program.
    FashionMnistLt,
    /// The four idx files of MNIST, Fashion-MNIST and data sets in the same format.
    Idx,
    /// The binary version of CIFAR-10.
    Cifar10,
    /// The binary version of CIFAR-100, with the 100 fine labels.
    Cifar100,
    /// Image files, one directory per class.
    ImageFolder,
    /// Image files in lists: text files of `path label` lines, or CSV files of paths and labels.
    ImageList,
    /// CIFAR-10 from the Hugging Face hub; requires the feature `hub`.
    HubCifar10,
    /// MNIST from the Hugging Face hub; requires the feature `hub`.
    HubMnist,
    /// Fashion-MNIST from the Hugging Face hub; requires the feature `hub`.
    HubFashionMnist,
}
