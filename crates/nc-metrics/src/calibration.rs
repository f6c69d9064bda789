//! How far confidence is from accuracy.

use serde::{Deserialize, Serialize};

use crate::{Result, accuracy::prediction, error::check};

/// Calibration of the largest softmax probability (Guo et al. 2017).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error: over 15 equal bins of confidence, open left and closed right, the mean of
    /// |accuracy - mean confidence| weighted by samples. None without samples.
    pub ece15: Option<f64>,
}

const BINS: usize = 15;

/// Sums by confidence.
#[derive(Clone, Debug)]
pub struct CalibrationAccumulator {
    classes: usize,
    /// Samples, right ones, and sum of confidences of each bin.
    bins: [(u64, u64, f64); BINS],
}

impl CalibrationAccumulator {
    /// For `classes` classes (K).
    pub fn new(classes: usize) -> Self {
        Self { classes, bins: [(0, 0, 0.0); BINS] }
    }

    /// Takes in logits (N, K), row after row, and labels.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, or a logit is not finite; then nothing is taken in.
    pub fn update(&mut self, logits: &[f32], labels: &[u32]) -> Result<()> {
        let seen = self.bins.iter().map(|(samples, ..)| samples).sum::<u64>() as usize;
        check("logits", logits, self.classes, labels, self.classes, seen)?;
        for (logits, &label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            let predicted = prediction(logits);
            let largest = f64::from(logits[predicted]);
            let confidence = 1.0 / logits.iter().map(|&z| (f64::from(z) - largest).exp()).sum::<f64>();
            let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            let (samples, right, sum) = &mut self.bins[bin];
            *samples += 1;
            *right += u64::from(predicted == label as usize);
            *sum += confidence;
        }
        Ok(())
    }

    /// The figure.
    pub fn finish(self) -> Calibration {
        let samples: u64 = self.bins.iter().map(|(samples, ..)| samples).sum();
        let gaps: f64 = self.bins.iter().map(|&(_, right, sum)| (right as f64 - sum).abs()).sum();
        Calibration { ece15: (samples > 0).then(|| gaps / samples as f64) }
    }
}

impl Calibration {
    /// Measures logits (N, K) of K = `classes` classes in memory.
    ///
    /// ```
    /// // Sure (up to rounding) of two, right about one.
    /// let calibration = nc_metrics::Calibration::of(&[99.0, 0.0, 99.0, 0.0], &[0, 1], 2)?;
    /// assert_eq!(calibration.ece15, Some(0.5));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    pub fn of(logits: &[f32], labels: &[u32], classes: usize) -> Result<Self> {
        let mut accumulator = CalibrationAccumulator::new(classes);
        accumulator.update(logits, labels)?;
        Ok(accumulator.finish())
    }
}
