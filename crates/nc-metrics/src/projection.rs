//! Projection of features to the plane.

use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Result, Samples, Scalar,
    error::check,
    linalg::{dot, norm, right_singular},
};

/// Features, class means and classifier projected to the first two principal components.
///
/// The components are computed about the mean of the class means mu_C from an evenly spaced subset with, where
/// available, equally many samples per class, so that a class of 5,000 samples has no more influence than one of 50.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Fraction of the subset's variance along each component.
    pub explained: [f64; 2],
    /// Samples of the subset.
    pub samples: Vec<ProjectedSample>,
    /// Classes with a mean, ascending.
    pub classes: Vec<u32>,
    /// m_k = mu_k - mu_C of each class with a mean.
    pub means: Vec<[f64; 2]>,
    /// w_k / ||w_k|| of each class with a mean; the length shows how much of the direction lies in the plane. Empty
    /// without a classifier.
    pub weights: Vec<[f64; 2]>,
}

/// A projected sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProjectedSample {
    /// Class label.
    pub class: u32,
    /// Coordinates.
    pub at: [f64; 2],
}

impl Projection {
    /// Projects at most `limit` of the samples behind `means`, but at least one per class. None for fewer than two
    /// dimensions or samples, or if all samples are equal up to rounding.
    ///
    /// ```
    /// use nc_metrics::{ClassMeans, Projection, Samples};
    ///
    /// let samples = Samples { features: &[5.0, 0.0, 1.0, 5.0, 0.0, -1.0], labels: &[0, 1] };
    /// let means = ClassMeans::of(samples.features, samples.labels, 2, 3)?;
    /// let plane = Projection::of(samples, &means, None, 100)?.unwrap();
    /// assert!((plane.explained[0] - 1.0).abs() < 1e-12);
    /// assert!((plane.means[0][0].abs() - 1.0).abs() < 1e-12);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, a feature is not finite, or the classifier has another shape.
    pub fn of<T: Scalar>(
        samples: Samples<'_, T>,
        means: &ClassMeans,
        classifier: Option<&Classifier>,
        limit: usize,
    ) -> Result<Option<Self>> {
        let dims = means.dims();
        check("features", samples.features, dims, samples.labels, means.classes(), 0)?;
        classifier.map_or(Ok(()), |classifier| classifier.check_fits(means))?;
        let drawn = draw(samples.labels, means.classes(), limit);
        if drawn.len() < 2 || dims < 2 {
            return Ok(None);
        }
        let row = |&sample: &usize| means.centered_sample(&samples.features[sample * dims..][..dims]);
        let rows: Vec<f64> = drawn.iter().flat_map(row).collect();
        let Some((values, vectors)) = right_singular(&rows, dims) else { return Ok(None) };
        let total: f64 = values.iter().map(|value| value * value).sum();
        if total <= drawn.len() as f64 * means.rounding.powi(2) {
            return Ok(None);
        }
        let (first, second) = (&vectors[..dims], &vectors[dims..2 * dims]);
        let project = |row: &[f64]| [dot(row, first), dot(row, second)];
        let place = |row: &[f64]| project(row).map(|x| x * means.unit);
        let direction = |row: &[f64]| {
            let norm = norm(row);
            project(row).map(|x| if norm > 0.0 { x / norm } else { 0.0 })
        };
        let drawn_at = |(&sample, row)| ProjectedSample { class: samples.labels[sample], at: place(row) };
        let weights = classifier.map_or_else(Vec::new, |classifier| classifier.rows_of(means));
        Ok(Some(Self {
            explained: [values[0] * values[0] / total, values[1] * values[1] / total],
            samples: drawn.iter().zip(rows.chunks_exact(dims)).map(drawn_at).collect(),
            classes: means.present().to_vec(),
            means: means.centered_units().chunks_exact(dims).map(place).collect(),
            weights: weights.chunks_exact(dims).map(direction).collect(),
        }))
    }
}

/// Selects at most `limit` samples, evenly spaced and in equal shares per class, but at least one per class.
fn draw(labels: &[u32], classes: usize, limit: usize) -> Vec<usize> {
    let mut by_class = vec![vec![]; classes];
    for (sample, &label) in labels.iter().enumerate() {
        by_class[label as usize].push(sample);
    }
    by_class.retain(|samples| !samples.is_empty());
    let share = (limit / by_class.len().max(1)).max(1);
    by_class
        .iter()
        .flat_map(|samples| {
            let count = share.min(samples.len());
            (0..count).map(move |i| samples[i * samples.len() / count])
        })
        .collect()
}
