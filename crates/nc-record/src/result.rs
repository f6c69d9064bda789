use serde::{Deserialize, Serialize};

use crate::{AverageAccuracy, Expert, FORMAT_VERSION, InputSpec, ShotAccuracy, Timing};

/// Result of a finished run. `A` (accuracy), `C` (calibration) and `N` (neural-collapse metrics) are defined by the
/// crate that measures them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunResult<A, C, N> {
    /// [`FORMAT_VERSION`] of the record.
    pub format_version: u32,
    /// The experiment's name.
    pub name: String,
    /// The experiment's seed.
    pub seed: u64,
    /// Hash of everything that determines the result: configuration, seed and training subset.
    pub run_hash: String,
    /// Training and test data.
    pub data: DataSummary,
    /// Input format and class names; none in results of earlier versions, like the next three fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<InputSpec>,
    /// Size of the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSummary>,
    /// Program that trained the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSummary>,
    /// SHA-256 of `weights.safetensors`, in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Notes on the data, such as unused files or images on both sides of a split.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Epochs of each phase that were trained, in order.
    pub epochs: Vec<usize>,
    /// Test accuracy of the final weights, those of the last epoch unless [`SelectedEpoch::kept`]: the figure to report.
    pub accuracy: A,
    /// Calibration of the final weights on the test set.
    pub calibration: C,
    /// Neural-collapse metrics of the final weights.
    pub nc: N,
    /// The experts of a network of several; none for other networks, or if a post-hoc adjustment replaced their classifiers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub experts: Vec<Expert>,
    /// The epoch with the best test accuracy. Selected on the test set: only for comparison with papers that do so,
    /// never the figure to report.
    pub best_epoch: Option<BestEpoch>,
    /// The epoch with the best validation accuracy, whose weights are saved too; only with validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_epoch: Option<SelectedEpoch>,
    /// The moving average of the weights at the end of the last phase, saved too; none without one, or with a post-hoc
    /// adjustment, which adjusts the weights themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_average: Option<AveragedWeights>,
    /// Time at which the run finished, UTC, in RFC 3339: `2026-11-28T22:41:08Z`. None in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Wall time; `images_per_second` is the training throughput.
    pub timing: Timing,
}

impl<A, C, N> RunResult<A, C, N> {
    /// Format version of new results.
    pub const FORMAT_VERSION: u32 = FORMAT_VERSION;
}

/// Training and test data of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataSummary {
    /// Name of the data source.
    pub source: String,
    /// Hash of the training subset.
    pub train_hash: String,
    /// Hash of the test set.
    pub test_hash: String,
    /// Hash of the validation images, if they determined the weights: by early stopping or by the choice of an epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_hash: Option<String>,
    /// Training images of each class.
    pub class_counts: Vec<usize>,
    /// Number of test images.
    pub test_images: usize,
}

impl DataSummary {
    /// Hash of the images that determine the weights.
    pub fn hash(&self) -> String {
        let Self { train_hash, validation_hash, .. } = self;
        format!("{train_hash}{}", validation_hash.as_deref().unwrap_or_default())
    }
}

/// Size of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkSummary {
    /// Number of parameters, without running statistics.
    pub parameters: usize,
    /// Channels of each stage of a residual network; empty for other backbones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub channels: Vec<usize>,
    /// Multiply-adds of convolutions and classifier per image, each counted as one FLOP, as in the literature; none for
    /// a backbone that does not report them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flops_per_image: Option<u64>,
    /// Dtype in training, such as `f32`.
    pub precision: String,
}

/// Program version and hardware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramSummary {
    /// Program version.
    pub version: String,
    /// Commit it was built from, if built in a checkout. Uncommitted changes are not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Command line that trained the run, quoted for a POSIX shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Architecture and instruction set of the kernels, or the device: `x86_64 avx512`, `cuda`.
    pub processor: String,
}

/// The epoch selected by validation accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectedEpoch {
    /// The phase's name.
    pub phase: String,
    /// The epoch.
    pub epoch: usize,
    /// Validation accuracy; the selection uses its `balanced` value.
    pub validation_accuracy: ShotAccuracy,
    /// Test accuracy, not used for the selection.
    pub test_accuracy: ShotAccuracy,
    /// SHA-256 of `weights-selected.safetensors`, in hexadecimal; none in results of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights_sha256: Option<String>,
    /// Whether the run's final weights are those of this epoch.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub kept: bool,
}

/// A moving average of the weights, in `weights-averaged.safetensors`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AveragedWeights {
    /// Its accuracy.
    pub accuracy: AverageAccuracy,
    /// SHA-256 of the file, in hexadecimal.
    pub weights_sha256: String,
}

/// The epoch with the best test accuracy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BestEpoch {
    /// The phase's name.
    pub phase: String,
    /// The epoch.
    pub epoch: usize,
    /// Test accuracy.
    pub accuracy: ShotAccuracy,
}
