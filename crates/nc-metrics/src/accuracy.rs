//! Top-k accuracy, overall, by class and by shot group.

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result, ShotClasses, ShotGroup,
    error::{check, check_length, check_rows},
    linalg::argmax,
    linalg::mean,
};

/// Accuracies as fractions from 0 to 1. Predictions are those of [`predictions`].
///
/// `harmonic_mean`, `geometric_mean`, `worst_class` and `macro_f1` are always computed; they are None only in older
/// records that lack them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Accuracy {
    /// Number of samples.
    pub samples: usize,
    /// Fraction of samples predicted correctly.
    pub top1: f64,
    /// Fraction of samples whose class is among the five largest logits (ties go to the lower class); 1 for fewer than
    /// six classes.
    pub top5: f64,
    /// Mean accuracy over classes with samples.
    pub balanced: f64,
    /// Harmonic mean of the same accuracies; 0 if any is 0.
    pub harmonic_mean: Option<f64>,
    /// Geometric mean of the same accuracies; 0 if any is 0.
    pub geometric_mean: Option<f64>,
    /// Smallest of the same accuracies.
    pub worst_class: Option<f64>,
    /// Mean over classes with samples of F1_k = 2 TP_k / (2 TP_k + FP_k + FN_k).
    pub macro_f1: Option<f64>,
    /// Accuracy of each class (K); None for classes without samples.
    pub per_class: Vec<Option<f64>>,
    /// Accuracy on samples of classes in [`ShotGroup::Many`], each *sample* weighted equally; on a balanced test set
    /// this equals the mean over classes. None without samples.
    pub many: Option<f64>,
    /// ... in [`ShotGroup::Medium`].
    pub medium: Option<f64>,
    /// ... in [`ShotGroup::Few`].
    pub few: Option<f64>,
    /// Number of classes in each group.
    pub shot_classes: ShotClasses,
    /// Confusion matrix (K, K): samples of each class (row) by prediction (column). Empty for more than 1,000 classes,
    /// where it would dominate the record.
    pub confusion: Vec<Vec<u64>>,
}

/// Maximum number of classes for which the confusion matrix is kept.
const MATRIX_CLASSES: usize = 1000;

/// Accumulates predictions over batches.
#[derive(Clone, Debug)]
pub struct AccuracyAccumulator {
    /// Samples per class.
    totals: Vec<u64>,
    /// Correctly predicted samples per class.
    right: Vec<u64>,
    /// Predictions per class.
    predicted: Vec<u64>,
    /// Histogram over samples of the number of classes ranked before the true class.
    ranks: Vec<u64>,
    confusion: Vec<Vec<u64>>,
}

impl AccuracyAccumulator {
    /// An accumulator for `classes` classes (K).
    pub fn new(classes: usize) -> Self {
        let confusion = if classes <= MATRIX_CLASSES { vec![vec![0; classes]; classes] } else { vec![] };
        let zeros = || vec![0; classes];
        Self { totals: zeros(), right: zeros(), predicted: zeros(), ranks: zeros(), confusion }
    }

    /// Adds logits (N, K), f32 or f64, row by row, with their labels.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, or a logit is not finite; then nothing is added.
    pub fn update<T: Copy + Into<f64>>(&mut self, logits: &[T], labels: &[u32]) -> Result<()> {
        let classes = self.totals.len();
        let seen = self.totals.iter().sum::<u64>() as usize;
        check("logits", logits, classes, labels, classes, seen)?;
        for (logits, &label) in logits.chunks_exact(classes.max(1)).zip(labels) {
            let label = label as usize;
            let predicted = prediction(logits);
            self.totals[label] += 1;
            self.right[label] += u64::from(predicted == label);
            self.predicted[predicted] += 1;
            self.ranks[rank(logits, label)] += 1;
            if let Some(row) = self.confusion.get_mut(label) {
                row[predicted] += 1;
            }
        }
        Ok(())
    }

    /// Fraction of samples so far whose class is among the `k` largest logits; ties go to the lower class. None without
    /// samples.
    ///
    /// ```
    /// let mut accumulator = nc_metrics::AccuracyAccumulator::new(3);
    /// accumulator.update(&[3.0, 2.0, 1.0, 3.0, 2.0, 1.0], &[1, 2])?;
    /// assert_eq!((accumulator.top_k(2), accumulator.top_k(3)), (Some(0.5), Some(1.0)));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    pub fn top_k(&self, k: usize) -> Option<f64> {
        let samples: u64 = self.totals.iter().sum();
        let among: u64 = self.ranks.iter().take(k).sum();
        (samples > 0).then(|| among as f64 / samples as f64)
    }

    /// Computes the accuracies, with shot groups by the number of training samples of each class (K).
    ///
    /// # Errors
    ///
    /// If there are no samples, or `training_counts` does not have K entries.
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
        let present: Vec<f64> = per_class.iter().flatten().copied().collect();
        let f1 = |class: usize| {
            let (total, predicted) = (self.totals[class], self.predicted[class]);
            (total > 0).then(|| 2.0 * self.right[class] as f64 / (total + predicted) as f64)
        };
        let f1: Vec<f64> = (0..self.totals.len()).filter_map(f1).collect();
        let inverses: Vec<f64> = present.iter().map(|accuracy| accuracy.recip()).collect();
        let logarithms: Vec<f64> = present.iter().map(|accuracy| accuracy.ln()).collect();
        Ok(Accuracy {
            samples: samples as usize,
            top1: self.right.iter().sum::<u64>() as f64 / samples as f64,
            top5: self.top_k(5).unwrap_or_default(),
            balanced: mean(&present),
            // An accuracy of 0 has an infinite inverse and logarithm, which gives the required mean of 0.
            harmonic_mean: Some(mean(&inverses).recip()),
            geometric_mean: Some(mean(&logarithms).exp()),
            worst_class: present.iter().copied().reduce(f64::min),
            macro_f1: Some(mean(&f1)),
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
    /// Accuracies of logits (N, K) in memory, with K the length of `training_counts`.
    ///
    /// ```
    /// let logits = [2.0, 1.0, 0.0, 1.0, 3.0, 0.0, 1.0, 0.0, 5.0, 9.0, 0.0, 0.0];
    /// let accuracy = nc_metrics::Accuracy::of(&logits, &[0, 1, 2, 2], &[500, 50, 5])?;
    /// assert_eq!(accuracy.top1, 0.75);
    /// assert_eq!(accuracy.per_class, [Some(1.0), Some(1.0), Some(0.5)]);
    /// assert_eq!((accuracy.many, accuracy.medium, accuracy.few), (Some(1.0), Some(1.0), Some(0.5)));
    /// assert_eq!(accuracy.confusion, [[1, 0, 0], [0, 1, 0], [1, 0, 1]]);
    /// assert_eq!((accuracy.worst_class, accuracy.harmonic_mean), (Some(0.5), Some(0.75)));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`AccuracyAccumulator::update`] and [`AccuracyAccumulator::finish`].
    pub fn of<T: Copy + Into<f64>>(logits: &[T], labels: &[u32], training_counts: &[usize]) -> Result<Self> {
        let mut accumulator = AccuracyAccumulator::new(training_counts.len());
        accumulator.update(logits, labels)?;
        accumulator.finish(training_counts)
    }
}

/// Predicted class of each row of `logits` (N, K), K = `classes`: the argmax; ties go to the lower class.
///
/// ```
/// let predicted = nc_metrics::predictions(&[0.0, 2.0, 1.0, 3.0, 3.0, 0.0], 3)?;
/// assert_eq!(predicted, [1, 0]);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
///
/// # Errors
///
/// If the length is not a multiple of K, K is zero, or a logit is not finite.
pub fn predictions<T: Copy + Into<f64>>(logits: &[T], classes: usize) -> Result<Vec<u32>> {
    check_rows("logits", logits, classes)?;
    Ok(logits.chunks_exact(classes).map(|logits| prediction(logits) as u32).collect())
}

/// Class of the first largest logit.
pub(crate) fn prediction<T: Copy + Into<f64>>(logits: &[T]) -> usize {
    argmax(logits.iter().map(|&z| z.into()))
}

/// Number of classes ranked before `label`: those with larger logits, and earlier ones with equal logits.
fn rank<T: Copy + Into<f64>>(logits: &[T], label: usize) -> usize {
    let z: f64 = logits[label].into();
    let (earlier, later) = logits.split_at(label);
    earlier.iter().filter(|&&other| other.into() >= z).count()
        + later.iter().filter(|&&other| other.into() > z).count()
}
