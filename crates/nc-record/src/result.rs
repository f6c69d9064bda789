use serde::{Deserialize, Serialize};

use crate::{FORMAT_VERSION, InputSpec, ShotAccuracy, Timing};

/// What a finished run found. `A` is the accuracy, `C` the calibration and `N` the neural-collapse figures, as defined
/// by the crate that measures them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult<A, C, N> {
    /// [`FORMAT_VERSION`] of the record.
    pub format_version: u32,
    /// The experiment's name.
    pub name: String,
    /// The experiment's seed.
    pub seed: u64,
    /// Hash of everything that determines the result: the configuration with its seed, and the subset.
    pub run_hash: String,
    /// The data it was trained and tested on.
    pub data: DataSummary,
    /// The images and classes of the network; none in results of earlier versions, like the next three.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputSpec>,
    /// The size of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSummary>,
    /// The program that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSummary>,
    /// SHA-256 of `weights.safetensors`, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Remarks on the data: unused files, images on both sides of a split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Epochs of each phase, in order.
    pub epochs: Vec<usize>,
    /// Test accuracy after the last epoch: the figure to report.
    pub accuracy: A,
    /// Calibration on the test set after the last epoch.
    pub calibration: C,
    /// Neural-collapse figures after the last epoch.
    pub nc: N,
    /// The best test accuracy seen during training. Chosen on the test set: for comparison with reports that do
    /// so, never the figure to report.
    pub best_epoch: Option<BestEpoch>,
    /// The epoch of the best validation accuracy, whose weights are kept beside the last; only with a validation set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_epoch: Option<SelectedEpoch>,
    /// Wall time; `images_per_second` is that of training.
    pub timing: Timing,
}

impl<A, C, N> RunResult<A, C, N> {
    /// The version new results carry.
    pub const FORMAT_VERSION: u32 = FORMAT_VERSION;
}

/// Which data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// The source's name.
    pub source: String,
    /// Hash of the training subset.
    pub train_hash: String,
    /// Hash of the test set.
    pub test_hash: String,
    /// Training images of each class.
    pub class_counts: Vec<usize>,
    /// Number of test images.
    pub test_images: usize,
}

/// The size of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSummary {
    /// Scalars in its parameters, running statistics apart.
    pub parameters: usize,
    /// Channels of each stage of a residual network; empty for other backbones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<usize>,
    /// Multiply-adds of convolutions and classifier for one image, each counted once, as the literature counts FLOPs; none for
    /// a backbone that does not state them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops_per_image: Option<u64>,
    /// Number format in training, as in `f32`.
    pub precision: String,
}

/// A program and the kind of processor it ran on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramSummary {
    /// Its version.
    pub version: String,
    /// The commit it was built from, if it was built in a checkout. Uncommitted changes do not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Architecture and instruction set of the kernels, or the device, as in `x86_64 avx512` or `cuda`.
    pub processor: String,
}

/// An epoch chosen by its accuracy on images held out of the training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectedEpoch {
    /// The phase's name.
    pub phase: String,
    /// The epoch.
    pub epoch: usize,
    /// Accuracy on the validation images; its `balanced` figure is what the epoch was chosen by.
    pub validation_accuracy: ShotAccuracy,
    /// Its test accuracy, which had no part in the choice.
    pub test_accuracy: ShotAccuracy,
}

/// An epoch chosen by its test accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// The phase's name.
    pub phase: String,
    /// The epoch.
    pub epoch: usize,
    /// Its test accuracy.
    pub accuracy: ShotAccuracy,
}
