//! Calibration: agreement of confidence and accuracy.

use serde::{Deserialize, Serialize};

use crate::{Result, accuracy::prediction, error::check};

/// Calibration of the confidence, the largest softmax probability max_k e^{z_k} / sum_j e^{z_j} (Guo et al. 2017).
/// Predictions are those of [`predictions`](crate::predictions).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Expected calibration error, from 0 to 1: the mean of |accuracy - mean confidence| over the confidence bins
    /// ((b-1)/15, b/15], b = 1..15, weighted by samples. None without samples.
    pub ece15: Option<f64>,
    /// Maximum calibration error, from 0 to 1: the largest |accuracy - mean confidence| over non-empty bins. None
    /// without samples.
    pub mce15: Option<f64>,
    /// Bins of the reliability diagram, by ascending confidence.
    #[serde(default)]
    pub bins: Vec<ReliabilityBin>,
}

/// Samples with confidence in ((b-1)/15, b/15].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Number of samples.
    pub samples: usize,
    /// Mean confidence. None without samples.
    pub confidence: Option<f64>,
    /// Accuracy. None without samples.
    pub accuracy: Option<f64>,
}

const BINS: usize = 15;

/// Accumulates confidences over batches.
#[derive(Clone, Debug)]
pub struct CalibrationAccumulator {
    classes: usize,
    bins: [Bin; BINS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Bin {
    samples: u64,
    right: u64,
    /// Sum of confidences.
    confidence: f64,
}

impl CalibrationAccumulator {
    /// An accumulator for `classes` classes (K).
    pub fn new(classes: usize) -> Self {
        Self { classes, bins: [Bin::default(); BINS] }
    }

    /// Adds logits (N, K), f32 or f64, row by row, with their labels.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, or a logit is not finite; then nothing is added.
    pub fn update<T: Copy + Into<f64>>(&mut self, logits: &[T], labels: &[u32]) -> Result<()> {
        check("logits", logits, self.classes, labels, self.classes, self.samples() as usize)?;
        for (logits, &label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            let predicted = prediction(logits);
            let largest: f64 = logits[predicted].into();
            let confidence = 1.0 / logits.iter().map(|&z| (z.into() - largest).exp()).sum::<f64>();
            let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
            let bin = &mut self.bins[bin];
            bin.samples += 1;
            bin.right += u64::from(predicted == label as usize);
            bin.confidence += confidence;
        }
        Ok(())
    }

    /// Computes the calibration.
    pub fn finish(self) -> Calibration {
        let samples = self.samples();
        let gap = |bin: &Bin| (bin.right as f64 - bin.confidence).abs();
        let mean = |bin: &Bin, sum: f64| (bin.samples > 0).then(|| sum / bin.samples as f64);
        let gaps: f64 = self.bins.iter().map(gap).sum();
        Calibration {
            ece15: (samples > 0).then(|| gaps / samples as f64),
            mce15: self.bins.iter().filter_map(|bin| mean(bin, gap(bin))).reduce(f64::max),
            bins: self
                .bins
                .iter()
                .map(|bin| ReliabilityBin {
                    samples: bin.samples as usize,
                    confidence: mean(bin, bin.confidence),
                    accuracy: mean(bin, bin.right as f64),
                })
                .collect(),
        }
    }

    fn samples(&self) -> u64 {
        self.bins.iter().map(|bin| bin.samples).sum()
    }
}

impl Calibration {
    /// Calibration of logits (N, K) in memory, with K = `classes`.
    ///
    /// ```
    /// // Confidence 1 (up to rounding) on two samples, one of them correct.
    /// let calibration = nc_metrics::Calibration::of(&[99.0, 0.0, 99.0, 0.0], &[0, 1], 2)?;
    /// assert_eq!((calibration.ece15, calibration.mce15), (Some(0.5), Some(0.5)));
    /// assert_eq!(calibration.bins[14].samples, 2);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As for [`CalibrationAccumulator::update`].
    pub fn of<T: Copy + Into<f64>>(logits: &[T], labels: &[u32], classes: usize) -> Result<Self> {
        let mut accumulator = CalibrationAccumulator::new(classes);
        accumulator.update(logits, labels)?;
        Ok(accumulator.finish())
    }
}
