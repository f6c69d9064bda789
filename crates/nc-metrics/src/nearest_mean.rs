//! NC4: the classifier against the nearest class mean.

use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Result,
    error::check,
    linalg::{dot, times_transposed},
};

/// NC4 (Papyan et al. 2020): the classifier decides as the nearest class mean would.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc4 {
    /// Share of samples where argmax_k <w_k, h> + b_k differs from argmin_k ||h - mu_k||; of equal ones the first
    /// counts. 0 at collapse. None without samples.
    pub mismatch: Option<f64>,
}

/// Compares decisions, sample by sample. Test features are compared with the means of training features.
///
/// ```
/// use nc_metrics::{ClassMeans, Classifier, NearestMeanAccumulator};
///
/// // The means are -2 and 2, their middle is 0; the classifier has its boundary at 1.
/// let means = ClassMeans::of(&[-2.0, 2.0], &[0, 1], 2, 1)?;
/// let classifier = Classifier::new(&[-1.0, 1.0], Some(&[1.0, -1.0]), 2, 1)?;
/// let mut nearest = NearestMeanAccumulator::new(&means, &classifier);
/// nearest.update(&[-1.0, 0.5, 1.5, 3.0], &[0, 1, 1, 1])?;
/// assert_eq!(nearest.finish().mismatch, Some(0.25));
/// # Ok::<(), nc_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NearestMeanAccumulator<'a> {
    means: &'a ClassMeans,
    classifier: &'a Classifier,
    centered: Vec<f64>,
    /// ||m_k||^2 / 2 of each class with a mean.
    half_squares: Vec<f64>,
    samples: usize,
    mismatches: usize,
}

/// Rows that go through a product at once.
const BLOCK: usize = 256;

impl<'a> NearestMeanAccumulator<'a> {
    /// Compares `classifier` with the nearest of `means`; classes without a mean cannot be nearest.
    pub fn new(means: &'a ClassMeans, classifier: &'a Classifier) -> Self {
        let centered = means.centered();
        let half_squares = centered.chunks_exact(means.dims()).map(|mean| dot(mean, mean) / 2.0).collect();
        Self { means, classifier, centered, half_squares, samples: 0, mismatches: 0 }
    }

    /// Takes in features (N, P) and their labels, which only have to be valid.
    ///
    /// # Errors
    ///
    /// If the classifier does not fit the means, the lengths do not fit, a label is not below K, or a feature is not
    /// finite; then nothing is taken in.
    pub fn update(&mut self, features: &[f32], labels: &[u32]) -> Result<()> {
        let dims = self.means.dims();
        self.classifier.check_fits(self.means)?;
        check("features", features, dims, labels, self.means.classes(), self.samples)?;
        for block in features.chunks(BLOCK * dims) {
            let mut block: Vec<f64> = block.iter().map(|&x| f64::from(x)).collect();
            let logits = times_transposed(&block, self.classifier.weight(), dims);
            // ||h - mu_k||^2 is smallest where <m_k, h - mu_C> - ||m_k||^2 / 2 is largest.
            for row in block.chunks_exact_mut(dims) {
                row.iter_mut().zip(self.means.mean_of_class_means()).for_each(|(x, center)| *x -= center);
            }
            let closeness = times_transposed(&block, &self.centered, dims);
            let decisions = logits.chunks_exact(self.classifier.bias().len());
            for (logits, closeness) in decisions.zip(closeness.chunks_exact(self.half_squares.len())) {
                let decided = argmax(logits.iter().zip(self.classifier.bias()).map(|(z, b)| z + b));
                let nearest = argmax(closeness.iter().zip(&self.half_squares).map(|(c, s)| c - s));
                self.samples += 1;
                self.mismatches += usize::from(decided as u32 != self.means.present()[nearest]);
            }
        }
        Ok(())
    }

    /// The figure.
    pub fn finish(self) -> Nc4 {
        Nc4 { mismatch: (self.samples > 0).then(|| self.mismatches as f64 / self.samples as f64) }
    }
}

/// The index of the first largest value.
pub(crate) fn argmax(values: impl Iterator<Item = f64>) -> usize {
    let (mut best, mut largest) = (0, f64::NEG_INFINITY);
    for (index, value) in values.enumerate() {
        if value > largest {
            (best, largest) = (index, value);
        }
    }
    best
}
