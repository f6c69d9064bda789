//! All metrics of a set of training and test features.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Accuracy, AccuracyAccumulator, Calibration, CalibrationAccumulator, ClassMeans, Classifier,
    NearestMeanAccumulator, NeuralCollapse, NeuralCollapseAccumulator, Result, Scalar,
    error::{check_finite, check_labels, check_length},
    linalg::widened,
};

/// Features (N, P) in f32 or f64, row by row, and their labels (N).
#[derive(Clone, Copy, Debug)]
pub struct Samples<'a, T = f32> {
    /// h_i.
    pub features: &'a [T],
    /// y_i.
    pub labels: &'a [u32],
}

/// Features, labels and classifier to analyse.
#[derive(Clone, Copy, Debug)]
pub struct FeatureSet<'a, T = f32> {
    /// Number of classes K.
    pub classes: usize,
    /// Feature dimension P.
    pub dims: usize,
    /// Training features, extracted from a frozen network in evaluation mode without augmentation.
    pub train: Samples<'a, T>,
    /// Test features.
    pub test: Option<Samples<'a, T>>,
    /// The last layer.
    pub classifier: Option<&'a Classifier>,
    /// Training samples per class (K), if `train` is only a subset.
    pub training_counts: Option<&'a [usize]>,
}

/// Neural collapse of training and test features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Metrics of the training features.
    pub train: NeuralCollapse,
    /// Metrics of the test features about their own means; only NC4 uses the nearest mean of the *training* features.
    /// Shot groups and targets follow the training counts.
    pub test: NeuralCollapse,
}

/// All metrics of training and test features.
///
/// Serialised, field names joined by dots are the metric names: `nc1.trace.sample_weighted`, ..., `accuracy.top1`,
/// `calibration.ece15` for the training features, and the same with the prefix `test.` for the test features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// Metrics of the training features.
    #[serde(flatten)]
    pub train: Measured,
    /// Metrics of the test features, as in [`Geometry::test`].
    pub test: Option<Measured>,
}

/// Metrics of one set of samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Neural collapse.
    #[serde(flatten)]
    pub nc: NeuralCollapse,
    /// Accuracy of the classifier; None without a classifier.
    pub accuracy: Option<Accuracy>,
    /// Calibration of the classifier; None without a classifier.
    pub calibration: Option<Calibration>,
}

impl<T: Scalar> FeatureSet<'_, T> {
    /// Computes all metrics. Accuracy and calibration use logits in f64, whose predictions equal those of
    /// [`Classifier::predictions`].
    ///
    /// ```
    /// use nc_metrics::{Classifier, FeatureSet, Samples};
    ///
    /// let classifier = Classifier::new(&[1.0, 0.0, -1.0, 0.0], None, 2, 2)?;
    /// let analysis = FeatureSet {
    ///     classes: 2,
    ///     dims: 2,
    ///     train: Samples { features: &[1.0, 0.0, 1.0, 0.0, -1.0, 0.0], labels: &[0, 0, 1] },
    ///     test: Some(Samples { features: &[0.5, 0.0, 0.1, 0.0], labels: &[0, 1] }),
    ///     classifier: Some(&classifier),
    ///     training_counts: None,
    /// }
    /// .analyze()?;
    /// assert_eq!(analysis.train.nc.nc1.trace.sample_weighted, Some(0.0));
    /// assert_eq!(analysis.test.unwrap().accuracy.unwrap().top1, 0.5);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, a value is not finite, the classifier has another shape, or
    /// there are no samples. Errors name the test samples `test_features` and `test_labels`.
    pub fn analyze(&self) -> Result<Analysis> {
        let means = self.means_of(self.train)?;
        self.check_test()?;
        let counts = self.training_counts(&means);
        let measured = |samples: Samples<'_, T>, nc| {
            let decisions = |classifier| self.decisions(samples, classifier, &counts);
            let (accuracy, calibration) = self.classifier.map(decisions).transpose()?.unzip();
            Ok(Measured { nc, accuracy, calibration })
        };
        Ok(Analysis {
            train: measured(self.train, self.collapse(self.train, &means, &counts)?)?,
            test: self
                .test
                .map(|test| measured(test, self.collapse_of_test(test, &means, &counts)?))
                .transpose()?,
        })
    }

    /// Computes neural collapse of both sets. Without test features, `test` also measures the training features.
    ///
    /// # Errors
    ///
    /// As for [`analyze`](Self::analyze).
    pub fn geometry(&self) -> Result<Geometry> {
        let means = self.means_of(self.train)?;
        self.check_test()?;
        let counts = self.training_counts(&means);
        let test = self.test.unwrap_or(self.train);
        Ok(Geometry {
            train: self.collapse(self.train, &means, &counts)?,
            test: self.collapse_of_test(test, &means, &counts)?,
        })
    }

    /// Checks the test samples here, because later checks would report them as `features` and `labels`.
    fn check_test(&self) -> Result<()> {
        let Some(Samples { features, labels }) = self.test else { return Ok(()) };
        check_length("test_features", features, labels.len() * self.dims)?;
        check_labels("test_labels", labels, self.classes, 0)?;
        check_finite("test_features", features, self.dims, 0)
    }

    fn means_of(&self, samples: Samples<'_, T>) -> Result<ClassMeans> {
        ClassMeans::of(samples.features, samples.labels, self.classes, self.dims)
    }

    fn training_counts(&self, means: &ClassMeans) -> Vec<usize> {
        let counted = || means.rows().into_iter().map(|row| row.map_or(0, |row| means.counts()[row]));
        self.training_counts.map_or_else(|| counted().collect(), <[usize]>::to_vec)
    }

    fn collapse(
        &self,
        samples: Samples<'_, T>,
        means: &ClassMeans,
        training_counts: &[usize],
    ) -> Result<NeuralCollapse> {
        let mut second_pass =
            NeuralCollapseAccumulator::new(means, self.classifier)?.with_training_counts(training_counts)?;
        second_pass.update(samples.features, samples.labels)?;
        second_pass.finish()
    }

    fn collapse_of_test(
        &self,
        test: Samples<'_, T>,
        training_means: &ClassMeans,
        training_counts: &[usize],
    ) -> Result<NeuralCollapse> {
        let mut nc = self.collapse(test, &self.means_of(test)?, training_counts)?;
        if let Some(classifier) = self.classifier {
            let mut nearest = NearestMeanAccumulator::new(training_means, classifier);
            nearest.update(test.features, test.labels)?;
            nc.nc4 = Some(nearest.finish(training_counts)?);
        }
        Ok(nc)
    }

    /// Accuracy and calibration of the classifier on validated samples.
    fn decisions(
        &self,
        samples: Samples<'_, T>,
        classifier: &Classifier,
        training_counts: &[usize],
    ) -> Result<(Accuracy, Calibration)> {
        let Samples { features, labels } = samples;
        let mut accuracy = AccuracyAccumulator::new(self.classes);
        let mut calibration = CalibrationAccumulator::new(self.classes);
        for (features, labels) in features.chunks(ROWS * self.dims).zip(labels.chunks(ROWS)) {
            let blocks =
                features.par_chunks(BLOCK * self.dims).map(|block| classifier.logits(&widened(block)));
            for (logits, labels) in blocks.collect::<Vec<_>>().iter().zip(labels.chunks(BLOCK)) {
                accuracy.update(logits, labels)?;
                calibration.update(logits, labels)?;
            }
        }
        Ok((accuracy.finish(training_counts)?, calibration.finish()))
    }
}

/// Rows whose logits are held at a time, and rows of one thread's product.
const ROWS: usize = 8192;
const BLOCK: usize = 256;
