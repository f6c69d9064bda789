use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::Figures;

/// What happens in a run, in order. Epochs are counted from 0 within their phase, as in the configuration. All numbers are
/// finite: JSON has no others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// The first line.
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
        /// Scalars in the model's parameters.
        parameters: usize,
        /// Hash of the test images.
        test_hash: String,
    },
    /// A phase begins.
    PhaseStarted {
        /// The phase's name.
        phase: String,
        /// Its epochs.
        epochs: usize,
        /// Optimiser steps an epoch.
        steps_per_epoch: usize,
    },
    /// An epoch of training is done.
    EpochFinished {
        /// The phase's name.
        phase: String,
        /// The epoch.
        epoch: usize,
        /// Learning rate of this epoch.
        learning_rate: f64,
        /// Whether class weights were on.
        class_weights: bool,
        /// Loss and its terms, averaged over the epoch's images.
        losses: EpochLosses,
        /// Wall time.
        timing: Timing,
    },
    /// The model was measured on the test set, and on the validation set if there is one.
    Evaluated {
        /// The phase's name.
        phase: String,
        /// The epoch after which it was.
        epoch: usize,
        /// Test accuracy.
        test_accuracy: ShotAccuracy,
        /// Accuracy on the images held out for validation.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validation_accuracy: Option<ShotAccuracy>,
        /// Wall time.
        timing: Timing,
    },
    /// Neural collapse was measured on the training images, in evaluation mode and without augmentation, and on the test
    /// images.
    Measured {
        /// The phase's name.
        phase: String,
        /// The epoch after which it was.
        epoch: usize,
        /// Figures of the training features.
        train: Figures,
        /// Figures of the test features.
        test: Figures,
        /// Wall time.
        timing: Timing,
    },
    /// The last line of a finished run.
    RunFinished {
        /// Wall time of the whole run.
        timing: Timing,
    },
}

/// The objective and its terms: each as its formula gives it, without its weight, and absent while it is off. L_sup is
/// "supervised", L_W (or centre loss in its place) "within_class", L_B "between_class", in radians (negative) for the
/// forms with angles.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochLosses {
    /// The weighted sum of the terms.
    pub total: f64,
    /// The terms by name.
    #[serde(flatten, deserialize_with = "present")]
    pub terms: BTreeMap<String, f64>,
}

impl EpochLosses {
    /// The term `name`, if it is on.
    pub fn term(&self, name: &str) -> Option<f64> {
        self.terms.get(name).copied()
    }
}

/// The terms that are not null: earlier versions wrote null for those that were off.
fn present<'de, D: Deserializer<'de>>(terms: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let terms = BTreeMap::<String, Option<f64>>::deserialize(terms)?;
    Ok(terms.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

/// Accuracy as a share from 0 to 1, over all classes and by the number of training images of the class. A group
/// without classes has none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShotAccuracy {
    /// Every class.
    pub all: f64,
    /// Mean over classes of the accuracy of each; none in logs of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub balanced: Option<f64>,
    /// Classes with more than 100 training images.
    pub many: Option<f64>,
    /// Classes with 20 to 100.
    pub medium: Option<f64>,
    /// Classes with fewer than 20.
    pub few: Option<f64>,
}

/// Wall time: what differs between repetitions of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Timing {
    /// Seconds taken.
    pub seconds: f64,
    /// Images passed through per second.
    pub images_per_second: f64,
}
