use std::{collections::BTreeMap, time::Instant};

use nc_record::{AverageAccuracy, BestEpoch, EpochLosses, SelectedEpoch, Timing};
use serde::{Deserialize, Serialize};

/// Progress of a run between two steps. With the tensors of a [`Learner`](crate::Learner) it suffices to resume: data
/// order, augmentation and mix-up follow from seed, epoch and step, so there is no random state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) run_hash: String,
    /// Index of the phase, and the epoch in it.
    pub(crate) phase: usize,
    pub(crate) epoch: usize,
    /// Completed steps of the epoch, and of the whole run.
    pub(crate) step: usize,
    pub(crate) steps: u64,
    /// Sums over the epoch so far.
    pub(crate) losses: LossSums,
    pub(crate) epoch_seconds: f64,
    pub(crate) best: Option<BestEpoch>,
    pub(crate) selected: Option<SelectedEpoch>,
    /// Epoch of the phase with the best validation measure, and the measure; for early stopping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) best_of_phase: Option<(usize, f64)>,
    /// Accuracy of the average of the weights at the last evaluation of the phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) average: Option<AverageAccuracy>,
    /// Trained epochs of each phase that stopped early, by its index.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) stopped: BTreeMap<usize, usize>,
    /// Totals of the run so far.
    pub(crate) seconds: f64,
    pub(crate) training_seconds: f64,
    pub(crate) training_images: usize,
    /// The base learning rate of the phase, if lower than the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) learning_rate: Option<f64>,
    /// Notes on the run, beside those on its images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) notes: Vec<String>,
    /// Length of the event log in bytes.
    pub(crate) event_bytes: u64,
}

impl State {
    pub(crate) fn begin_phase(&mut self, phase: usize) {
        (self.phase, self.epoch, self.step) = (phase, 0, 0);
        (self.learning_rate, self.best_of_phase, self.average) = (None, None, None);
    }

    /// Counts a step of `images` images and resets `clock` to now.
    pub(crate) fn end_step(&mut self, losses: &EpochLosses, images: usize, clock: &mut Instant) {
        self.step += 1;
        self.steps += 1;
        self.losses.add(losses, images);
        let now = Instant::now();
        self.epoch_seconds += now.duration_since(*clock).as_secs_f64();
        *clock = now;
    }

    /// Ends the epoch; returns its mean losses and timing.
    pub(crate) fn end_epoch(&mut self) -> (EpochLosses, Timing) {
        let LossSums { images, .. } = self.losses;
        let (losses, timing) = (self.losses.mean(), timing(self.epoch_seconds, images));
        self.training_seconds += timing.seconds;
        self.training_images += images;
        self.epoch += 1;
        self.step = 0;
        self.losses = LossSums::default();
        self.epoch_seconds = 0.0;
        (losses, timing)
    }

    /// Images trained on so far.
    pub(crate) fn images(&self) -> usize {
        self.training_images + self.losses.images
    }
}

/// Sums over an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossSums {
    pub(crate) images: usize,
    sums: EpochLosses,
}

impl LossSums {
    fn add(&mut self, losses: &EpochLosses, images: usize) {
        let weight = images as f64;
        self.images += images;
        self.sums.total += weight * losses.total;
        for (name, term) in &losses.terms {
            *self.sums.terms.entry(name.clone()).or_default() += weight * term;
        }
    }

    fn mean(&self) -> EpochLosses {
        let share = |sum: f64| sum / self.images as f64;
        let terms = self.sums.terms.iter().map(|(name, sum)| (name.clone(), share(*sum))).collect();
        EpochLosses { total: share(self.sums.total), terms }
    }
}

/// Timing of `images`. Takes at least a nanosecond, because records require finite speeds.
pub(crate) fn timing(seconds: f64, images: usize) -> Timing {
    Timing { seconds, images_per_second: images as f64 / seconds.max(1e-9) }
}
