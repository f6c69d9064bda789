//! All of NC1 to NC4 in one report.

use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Directions, Nc1, Nc3, Nc4, NearestMeanAccumulator, Result, WithinAccumulator,
};

/// NC1 to NC4 of features and, where one is given, their classifier.
///
/// Serialised, the fields joined by dots are the names of the figures: `nc1.trace.sample_weighted`,
/// `nc2.centered_means.coherence`, `nc3.duality_gap_squared`, `nc4.mismatch`, ... What cannot be defined is null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuralCollapse {
    /// Samples measured.
    pub samples: usize,
    /// Feature dimension P.
    pub dims: usize,
    /// The classes with samples, ascending; figures by class have one entry for each of them.
    pub classes: Vec<u32>,
    /// Whether a simplex ETF of that many classes exists in P dimensions: K - 1 <= P. If not, the figures of NC2
    /// cannot reach their ideal values.
    pub etf_exists: bool,
    /// arccos(-1/(K-1)) in degrees: the angle between any two vectors of a simplex ETF. None for a single class.
    pub etf_angle_degrees: Option<f64>,
    /// Within-class variability.
    pub nc1: Nc1,
    /// Norms and angles.
    pub nc2: Nc2,
    /// Self-duality; None without a classifier.
    pub nc3: Option<Nc3>,
    /// Agreement with the nearest class mean; None without a classifier.
    pub nc4: Option<Nc4>,
}

/// NC2 of class means and classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc2 {
    /// Of m_k = mu_k - mu_C.
    pub centered_means: Directions,
    /// Of the classifier's rows w_k for the same classes, not centred; None without a classifier.
    pub weights: Option<Directions>,
}

impl NeuralCollapse {
    /// Measures features (N, P) of K = `classes` classes, row after row; P = `dims`.
    ///
    /// ```
    /// use nc_metrics::{Classifier, NeuralCollapse};
    ///
    /// // Two classes, collapsed to opposite points, with a classifier along them.
    /// let features = [1.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0];
    /// let classifier = Classifier::new(&[2.0, 0.0, -2.0, 0.0], None, 2, 2)?;
    /// let nc = NeuralCollapse::of(&features, &[0, 0, 1, 1], 2, 2, Some(&classifier))?;
    /// assert_eq!(nc.nc1.trace.sample_weighted, Some(0.0));
    /// assert_eq!(nc.nc2.centered_means.min_angle_degrees, nc.etf_angle_degrees); // 180
    /// assert_eq!(nc.nc3.unwrap().duality_gap_squared, Some(0.0));
    /// assert_eq!(nc.nc4.unwrap().mismatch, Some(0.0));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, a feature is not finite, or there is no sample.
    pub fn of(
        features: &[f32],
        labels: &[u32],
        classes: usize,
        dims: usize,
        classifier: Option<&Classifier>,
    ) -> Result<Self> {
        let means = ClassMeans::of(features, labels, classes, dims)?;
        let mut within = WithinAccumulator::new(&means);
        within.update(features, labels)?;
        let nc4 = match classifier {
            Some(classifier) => {
                let mut nearest = NearestMeanAccumulator::new(&means, classifier);
                nearest.update(features, labels)?;
                Some(nearest.finish())
            }
            None => None,
        };
        Ok(Self::from_parts(&means, within.finish(), classifier, nc4))
    }

    /// Joins what was measured in passes over features too many for memory.
    pub fn from_parts(
        means: &ClassMeans,
        nc1: Nc1,
        classifier: Option<&Classifier>,
        nc4: Option<Nc4>,
    ) -> Self {
        let dims = means.dims();
        let centered = means.centered();
        let weights = classifier.map(|classifier| {
            let rows =
                means.present().iter().map(|&class| &classifier.weight()[class as usize * dims..][..dims]);
            rows.flatten().copied().collect::<Vec<f64>>()
        });
        let others = means.present().len() - 1;
        Self {
            samples: means.counts().iter().sum(),
            dims,
            classes: means.present().to_vec(),
            etf_exists: others <= dims,
            etf_angle_degrees: (others > 0).then(|| (-1.0 / others as f64).acos().to_degrees()),
            nc1,
            nc2: Nc2 {
                centered_means: Directions::of(&centered, dims),
                weights: weights.as_ref().map(|rows| Directions::of(rows, dims)),
            },
            nc3: weights.as_ref().map(|rows| Nc3::of(rows, &centered, dims)),
            nc4,
        }
    }
}
