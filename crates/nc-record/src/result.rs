use serde::{Deserialize, Serialize};

use crate::{FORMAT_VERSION, ShotAccuracy, Timing};

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

/// An epoch chosen by its accuracy on images held out of the training set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectedEpoch {
    /// The phase's name.
    pub phase: String,
    /// The epoch.
    pub epoch: usize,
    /// What it was chosen by.
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
