//! Top-k accuracy, by class and by shot group.

use serde::{Deserialize, Serialize};

use crate::{Result, error::check, nearest_mean::argmax};

/// Accuracies as shares from 0 to 1. Predictions are the first largest logit.
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
    /// Accuracy of each class; None for a class without samples.
    pub per_class: Vec<Option<f64>>,
    /// Accuracy on the samples of classes with more than 100 training images; None if there are none.
    pub many: Option<f64>,
    /// ... with 20 to 100 training images.
    pub medium: Option<f64>,
    /// ... with fewer than 20 training images.
    pub few: Option<f64>,
    /// Samples of each class (row) by prediction (column).
    pub confusion: Vec<Vec<u64>>,
}

/// Counts predictions.
#[derive(Clone, Debug)]
pub struct AccuracyAccumulator {
    classes: usize,
    confusion: Vec<Vec<u64>>,
    top5: u64,
}

impl AccuracyAccumulator {
    /// For `classes` classes (K).
    pub fn new(classes: usize) -> Self {
        Self { classes, confusion: vec![vec![0; classes]; classes], top5: 0 }
    }

    /// Takes in logits (N, K), row after row, and labels.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, or a logit is not finite; then nothing is taken in.
    pub fn update(&mut self, logits: &[f32], labels: &[u32]) -> Result<()> {
        let seen = self.confusion.iter().flatten().sum::<u64>() as usize;
        check("logits", logits, self.classes, labels, self.classes, seen)?;
        for (logits, &label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            let label = label as usize;
            self.confusion[label][prediction(logits)] += 1;
            let before = |(k, &z): (usize, &f32)| z > logits[label] || z == logits[label] && k < label;
            let rank = logits.iter().enumerate().filter(|&entry| before(entry)).count();
            self.top5 += u64::from(rank < 5);
        }
        Ok(())
    }

    /// The figures, with groups by the number of training images of each class.
    ///
    /// # Errors
    ///
    /// If there was no sample, or `training_counts` has not K entries.
    pub fn finish(self, training_counts: &[usize]) -> Result<Accuracy> {
        let classes = self.classes;
        if training_counts.len() != classes {
            let (argument, found) = ("training_counts", training_counts.len());
            return Err(crate::Error::Length { argument, expected: classes, found });
        }
        let totals: Vec<u64> = self.confusion.iter().map(|row| row.iter().sum()).collect();
        let samples: u64 = totals.iter().sum();
        if samples == 0 {
            return Err(crate::Error::Empty("no samples"));
        }
        let group = |member: &dyn Fn(usize) -> bool| {
            let (mut right, mut total) = (0, 0);
            for class in (0..classes).filter(|&class| member(training_counts[class])) {
                right += self.confusion[class][class];
                total += totals[class];
            }
            (total > 0).then(|| right as f64 / total as f64)
        };
        let per_class: Vec<Option<f64>> = (0..classes)
            .map(|class| {
                (totals[class] > 0).then(|| self.confusion[class][class] as f64 / totals[class] as f64)
            })
            .collect();
        let present: Vec<f64> = per_class.iter().flatten().copied().collect();
        Ok(Accuracy {
            samples: samples as usize,
            top1: group(&|_| true).unwrap_or_default(),
            top5: self.top5 as f64 / samples as f64,
            balanced: present.iter().sum::<f64>() / present.len() as f64,
            per_class,
            many: group(&|n| n > 100),
            medium: group(&|n| (20..=100).contains(&n)),
            few: group(&|n| n < 20),
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
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    pub fn of(logits: &[f32], labels: &[u32], training_counts: &[usize]) -> Result<Self> {
        let mut accumulator = AccuracyAccumulator::new(training_counts.len());
        accumulator.update(logits, labels)?;
        accumulator.finish(training_counts)
    }
}

/// The class of the first largest logit.
pub(crate) fn prediction(logits: &[f32]) -> usize {
    argmax(logits.iter().map(|&z| f64::from(z)))
}
