use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Figures;

/// An event of a run. Epochs are counted from 0 within their phase, as in the configuration. All numbers are finite,
/// because JSON has no others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// Start of the run: the first line of the log.
    RunStarted {
        /// [`FORMAT_VERSION`](crate::FORMAT_VERSION) of the log.
        format_version: u32,
        /// The experiment's name.
        name: String,
        /// The experiment's seed.
        seed: u64,
        /// Hash of the training subset.
        subset_hash: String,
        /// Training images of each class.
        class_counts: Vec<usize>,
        /// Class names; empty in logs of earlier versions.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        class_names: Vec<String>,
        /// Number of model parameters.
        parameters: usize,
        /// Hash of the test images.
        test_hash: String,
    },
    /// Start of a phase.
    PhaseStarted {
        /// The phase's name.
        phase: String,
        /// Number of epochs.
        epochs: usize,
        /// Optimiser steps per epoch.
        steps_per_epoch: usize,
    },
    /// End of a training epoch.
    EpochFinished {
        /// The phase's name.
        phase: String,
        /// The epoch.
        epoch: usize,
        /// Learning rate of this epoch.
        learning_rate: f64,
        /// True if class weights were active.
        class_weights: bool,
        /// Loss and its terms, averaged over the images of the epoch.
        losses: EpochLosses,
        /// Wall time.
        timing: Timing,
    },
    /// Evaluation on the test set, and on the validation set if there is one.
    Evaluated {
        /// The phase's name.
        phase: String,
        /// The last epoch before the evaluation.
        epoch: usize,
        /// Test accuracy.
        test_accuracy: ShotAccuracy,
        /// Accuracy on the validation images.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_accuracy: Option<ShotAccuracy>,
        /// The classifier in place of the network's, if the phase trains none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        classifier: Option<String>,
        /// Accuracy of the moving average of the weights, if the phase has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        average: Option<Box<AverageAccuracy>>,
        /// Wall time.
        timing: Timing,
    },
    /// Neural-collapse metrics on training images (evaluation mode, no augmentation) and test images.
    Measured {
        /// The phase's name.
        phase: String,
        /// The last epoch before the measurement.
        epoch: usize,
        /// Metrics of the training features.
        train: Figures,
        /// Metrics of the test features.
        test: Figures,
        /// Wall time.
        timing: Timing,
    },
    /// End of the run: the last line of the log.
    RunFinished {
        /// Wall time of the whole run.
        timing: Timing,
    },
}

/// The loss and its unweighted terms; inactive terms are absent. L_sup is "supervised", L_W (or the centre loss that
/// replaces it) is "within_class", L_B is "between_class", the diversity of
/// experts is "diversity", a contrastive loss is "contrast", the uniformity of class directions is "uniformity". The angular forms of L_B are in radians and negative.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochLosses {
    /// The weighted sum of the terms.
    pub total: f64,
    /// The terms by name.
    #[serde(flatten, deserialize_with = "present")]
    pub terms: BTreeMap<String, f64>,
}

impl EpochLosses {
    /// The term `name`, if active.
    pub fn term(&self, name: &str) -> Option<f64> {
        self.terms.get(name).copied()
    }
}

/// Deserialises terms and drops nulls, which earlier versions wrote for inactive terms.
fn present<'de, D: Deserializer<'de>>(terms: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let terms = BTreeMap::<String, Option<f64>>::deserialize(terms)?;
    Ok(terms.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// Accuracy in [0, 1], over all classes and by shot group (training images per class); none for a group without
/// classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShotAccuracy {
    /// All classes.
    pub all: f64,
    /// Mean per-class accuracy; none in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<f64>,
    /// Classes with more than 100 training images.
    pub many: Option<f64>,
    /// Classes with 20 to 100 training images.
    pub medium: Option<f64>,
    /// Classes with fewer than 20 training images.
    pub few: Option<f64>,
}

/// Accuracy of a moving average of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AverageAccuracy {
    /// Test accuracy.
    pub test_accuracy: ShotAccuracy,
    /// Accuracy on the validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_accuracy: Option<ShotAccuracy>,
}

/// Wall time and throughput, the only values that differ between repetitions of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Duration in seconds.
    pub seconds: f64,
    /// Images processed per second.
    pub images_per_second: f64,
}
