//! Top-k accuracy, by class and by shot group.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, ShotClasses, ShotGroup,
    error::{check, check_length, check_rows},
    linalg::mean,
    nearest_mean::argmax,
};

/// Accuracies as shares from 0 to 1. Predictions are those of [`predictions`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Samples measured.
    pub samples: usize,
    /// Share of samples predicted right.
    pub top1: f64,
    /// Share of samples whose class is among the five largest logits (of equal ones the first count); 1 for fewer
    /// than six classes.
    pub top5: f64,
    /// Mean over classes with samples of their accuracy.
    pub balanced: f64,
    /// Accuracy of each class (K); None for a class without samples.
    pub per_class: Vec<Option<f64>>,
    /// Share predicted right of the samples of classes in [`ShotGroup::Many`], each *sample* counting the same; on a
    /// balanced test set that is the mean over the classes. None if there are no samples.
    pub many: Option<f64>,
    /// ... in [`ShotGroup::Medium`].
    pub medium: Option<f64>,
    /// ... in [`ShotGroup::Few`].
    pub few: Option<f64>,
    /// How many classes each group has.
    pub shot_classes: ShotClasses,
    /// Samples of each class (row) by prediction (column), (K, K). Empty for more than 1,000 classes, where it would
    /// be larger than everything else.
    pub confusion: Vec<Vec<u64>>,
}

/// The most classes with a confusion matrix.
const CONFUSION_CLASSES: usize = 1000;

/// Counts predictions.
#[derive(Clone, Debug)]
pub struct AccuracyAccumulator {
    /// Samples of each class.
    totals: Vec<u64>,
    /// Those predicted right.
    right: Vec<u64>,
    top5: u64,
    confusion: Vec<Vec<u64>>,
}

impl AccuracyAccumulator {
    /// For `classes` classes (K).
    pub fn new(classes: usize) -> Self {
        let confusion = if classes <= CONFUSION_CLASSES { vec![vec![0; classes]; classes] } else { vec![] };
        Self { totals: vec![0; classes], right: vec![0; classes], top5: 0, confusion }
    }

    /// Takes in logits (N, K), row after row, and labels.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, or a logit is not finite; then nothing is taken in.
    pub fn update(&mut self, logits: &[f32], labels: &[u32]) -> Result<()> {
        let classes = self.totals.len();
        let seen = self.totals.iter().sum::<u64>() as usize;
        check("logits", logits, classes, labels, classes, seen)?;
        for (logits, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let label = label as usize;
            let predicted = prediction(logits);
            self.totals[label] += 1;
            self.right[label] += u64::from(predicted == label);
            self.top5 += u64::from(rank(logits, label) < 5);
            if let Some(row) = self.confusion.get_mut(label) {
                row[predicted] += 1;
            }
        }
        Ok(())
    }

    /// The figures, with groups by the number of training samples of each class (K).
    ///
    /// # Errors
    ///
    /// If there was no sample, or `training_counts` has not K entries.
    pub fn finish(self, training_counts: &[usize]) -> Result<Accuracy> {
        check_length("training_counts", training_counts, self.totals.len())?;
        let samples: u64 = self.totals.iter().sum();
        if samples == 0 {
            return Err(Error::Empty("no samples"));
        }
        let share = |right: u64, total: u64| (total > 0).then(|| right as f64 / total as f64);
        let group = |group: ShotGroup| {
            let (mut right, mut total) = (0, 0);
            for (class, &count) in training_counts.iter().enumerate() {
                if ShotGroup::of(count) == group {
                    right += self.right[class];
                    total += self.totals[class];
                }
            }
            share(right, total)
        };
        let per_class: Vec<Option<f64>> =
            self.right.iter().zip(&self.totals).map(|(&right, &total)| share(right, total)).collect();
        Ok(Accuracy {
            samples: samples as usize,
            top1: self.right.iter().sum::<u64>() as f64 / samples as f64,
            top5: self.top5 as f64 / samples as f64,
            balanced: mean(&per_class.iter().flatten().copied().collect::<Vec<_>>()),
            per_class,
            many: group(ShotGroup::Many),
            medium: group(ShotGroup::Medium),
            few: group(ShotGroup::Few),
            shot_classes: ShotClasses::of(training_counts),
            confusion: self.confusion,
        })
    }
}

impl Accuracy {
    /// Measures logits (N, K) in memory, K being the length of `training_counts`.
    ///
    /// ```
    /// let logits = [2.0, 1.0, 0.0, 1.0, 3.0, 0.0, 1.0, 0.0, 5.0, 9.0, 0.0, 0.0];
    /// let accuracy = nc_metrics::Accuracy::of(&logits, &[0, 1, 2, 2], &[500, 50, 5])?;
    /// assert_eq!(accuracy.top1, 0.75);
    /// assert_eq!(accuracy.per_class, [Some(1.0), Some(1.0), Some(0.5)]);
    /// assert_eq!((accuracy.many, accuracy.medium, accuracy.few), (Some(1.0), Some(1.0), Some(0.5)));
    /// assert_eq!(accuracy.confusion, [[1, 0, 0], [0, 1, 0], [1, 0, 1]]);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`AccuracyAccumulator::update`] and [`AccuracyAccumulator::finish`].
    pub fn of(logits: &[f32], labels: &[u32], training_counts: &[usize]) -> Result<Self> {
        let mut accumulator = AccuracyAccumulator::new(training_counts.len());
        accumulator.update(logits, labels)?;
        accumulator.finish(training_counts)
    }
}

/// The predicted class of each row of `logits` (N, K), K = `classes`: that of the largest logit, of equal ones the
/// first.
///
/// ```
/// let predicted = nc_metrics::predictions(&[0.0, 2.0, 1.0, 3.0, 3.0, 0.0], 3)?;
/// assert_eq!(predicted, [1, 0]);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the length is no multiple of K, K is zero, or a logit is not finite.
pub fn predictions(logits: &[f32], classes: usize) -> Result<Vec<u32>> {
    check_rows("logits", logits, classes)?;
    Ok(logits.chunks_exact(classes).map(|logits| prediction(logits) as u32).collect())
}

/// The class of the first largest logit.
pub(crate) fn prediction(logits: &[f32]) -> usize {
    argmax(logits.iter().map(|&z| f64::from(z)))
}

/// How many classes come before `label`: those of larger logits, and of equal ones the earlier.
fn rank(logits: &[f32], label: usize) -> usize {
    let z = logits[label];
    let (earlier, later) = logits.split_at(label);
    earlier.iter().filter(|&&other| other >= z).count() + later.iter().filter(|&&other| other > z).count()
}
