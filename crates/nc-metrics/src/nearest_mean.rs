//! NC4: agreement of the classifier with the nearest class mean.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Result, Scalar, ShotGroup,
    error::{check, check_length},
    linalg::{argmax, dot, times_transposed, widened},
};

/// NC4 (Papyan et al. 2020): the classifier converges to the nearest-class-mean rule.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc4 {
    /// Fraction of samples for which argmax_k <w_k, h> + b_k differs from argmin_k ||h - mu_k||; ties go to the lower
    /// class. 0 at collapse. None without samples, or if all class means coincide.
    pub mismatch: Option<f64>,
    /// The same for samples of classes in [`ShotGroup::Many`]. None without such samples.
    pub many: Option<f64>,
    /// ... in [`ShotGroup::Medium`].
    pub medium: Option<f64>,
    /// ... in [`ShotGroup::Few`].
    pub few: Option<f64>,
}

/// Accumulates disagreements sample by sample. Test features are compared with the means of training features.
///
/// ```
/// use nc_metrics::{ClassMeans, Classifier, NearestMeanAccumulator};
///
/// // The means are -2 and 2, with midpoint 0; the classifier's boundary is at 1.
/// let means = ClassMeans::of(&[-2.0, 2.0], &[0, 1], 2, 1)?;
/// let classifier = Classifier::new(&[-1.0, 1.0], Some(&[1.0, -1.0]), 2, 1)?;
/// let mut nearest = NearestMeanAccumulator::new(&means, &classifier);
/// nearest.update(&[-1.0, 0.5, 1.5, 3.0], &[0, 1, 1, 1])?;
/// let nc4 = nearest.finish(&[500, 5])?; // training samples per class
/// assert_eq!((nc4.mismatch, nc4.many, nc4.few), (Some(0.25), Some(0.0), Some(1.0 / 3.0)));
/// # Ok::<(), nc_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NearestMeanAccumulator<'a> {
    means: &'a ClassMeans,
    classifier: &'a Classifier,
    centered: Vec<f64>,
    /// ||m_k||^2 / 2 per class with a mean.
    half_squares: Vec<f64>,
    /// Samples per class (K).
    samples: Vec<usize>,
    mismatches: Vec<usize>,
}

/// Rows per matrix product.
const BLOCK: usize = 256;

impl<'a> NearestMeanAccumulator<'a> {
    /// Compares `classifier` with the nearest of `means`; classes without a mean are never nearest.
    pub fn new(means: &'a ClassMeans, classifier: &'a Classifier) -> Self {
        let centered = means.centered_units();
        let half_squares = centered.chunks_exact(means.dims()).map(|mean| dot(mean, mean) / 2.0).collect();
        let (samples, mismatches) = (vec![0; means.classes()], vec![0; means.classes()]);
        Self { means, classifier, centered, half_squares, samples, mismatches }
    }

    /// Adds features (N, P) with their labels, which only assign mismatches to classes.
    ///
    /// # Errors
    ///
    /// If the classifier does not match the means, lengths do not match, a label is not below K, or a feature is not
    /// finite; then nothing is added.
    pub fn update<T: Scalar>(&mut self, features: &[T], labels: &[u32]) -> Result<()> {
        let dims = self.means.dims();
        self.classifier.check_fits(self.means)?;
        let seen = self.samples.iter().sum();
        check("features", features, dims, labels, self.means.classes(), seen)?;
        let blocks = features.par_chunks(BLOCK * dims).map(|block| self.mismatches_of(block));
        let mismatches: Vec<Vec<bool>> = blocks.collect();
        for (mismatch, &label) in mismatches.into_iter().flatten().zip(labels) {
            self.samples[label as usize] += 1;
            self.mismatches[label as usize] += usize::from(mismatch);
        }
        Ok(())
    }

    /// For each row, true if classifier and nearest mean disagree.
    fn mismatches_of<T: Scalar>(&self, block: &[T]) -> Vec<bool> {
        let dims = self.means.dims();
        let logits = self.classifier.logits(&widened(block));
        // argmin_k ||h - mu_k||^2 = argmax_k <m_k, h - mu_C> - ||m_k||^2 / 2.
        let rows = block.chunks_exact(dims).flat_map(|row| self.means.centered_sample(row));
        let closeness = times_transposed(&rows.collect::<Vec<f64>>(), &self.centered, dims);
        let rows = logits.chunks_exact(self.means.classes());
        rows.zip(closeness.chunks_exact(self.half_squares.len()))
            .map(|(logits, closeness)| {
                let decided = argmax(logits.iter().copied());
                let nearest = argmax(closeness.iter().zip(&self.half_squares).map(|(c, s)| c - s));
                decided as u32 != self.means.present()[nearest]
            })
            .collect()
    }

    /// Computes the mismatches, with shot groups by the number of training samples of each class (K).
    ///
    /// # Errors
    ///
    /// If `training_counts` does not have K entries.
    pub fn finish(self, training_counts: &[usize]) -> Result<Nc4> {
        check_length("training_counts", training_counts, self.samples.len())?;
        let coincide = self.half_squares.len() > 1 && self.half_squares.iter().all(|&square| square == 0.0);
        let share = |group: Option<ShotGroup>| {
            let classes = || {
                let counts = training_counts.iter().enumerate();
                counts.filter(|&(_, &count)| group.is_none_or(|group| ShotGroup::of(count) == group))
            };
            let samples: usize = classes().map(|(class, _)| self.samples[class]).sum();
            let mismatches: usize = classes().map(|(class, _)| self.mismatches[class]).sum();
            (samples > 0 && !coincide).then(|| mismatches as f64 / samples as f64)
        };
        Ok(Nc4 {
            mismatch: share(None),
            many: share(Some(ShotGroup::Many)),
            medium: share(Some(ShotGroup::Medium)),
            few: share(Some(ShotGroup::Few)),
        })
    }
}
