//! The geometry expected after a ReLU: an orthogonal frame.

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use crate::linalg::{mean, normalized_distance};

/// Distance to the orthogonal frame (Dang et al. 2024), to which non-negative features (after a ReLU) converge with a
/// bias-free classifier. The class means, not centred, are orthogonal; their norms and the classifier depend on the
/// class counts.
///
/// ```
/// use nc_metrics::{Classifier, NeuralCollapse};
///
/// // Four samples of class 0 at (2, 0), one of class 1 at (0, 3): orthogonal, whatever the norms. The matching
/// // classifier has rows t_0 = 1/2 (2 mu_0 - mu_1), t_1 = 1/2 (mu_1 - 2 mu_0).
/// let features = [2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 2.0, 0.0, 0.0, 3.0];
/// let classifier = Classifier::new(&[4.0, -3.0, -4.0, 3.0], None, 2, 2)?;
/// let nc = NeuralCollapse::of(&features, &[0, 0, 0, 0, 1], 2, 2, Some(&classifier))?;
/// let frame = nc.orthogonal_frame.unwrap();
/// assert_eq!((frame.mean_cosine, frame.means_error), (Some(0.0), Some(0.0)));
/// assert!(frame.classifier_error.unwrap() < 1e-12);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
///
/// Source: Dang et al., "Neural collapse for cross-entropy class-imbalanced learning with unconstrained ReLU features
/// model", ICML 2024.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrthogonalFrame {
    /// Mean over pairs of |cos(mu_j, mu_k)| of the class means, not centred; 0 in that geometry. None for fewer than
    /// two classes or if a mean has norm zero.
    pub mean_cosine: Option<f64>,
    /// || G/||G||_F - D/||D||_F ||_F with the Gram matrix G of the class means, not centred, and its diagonal D; 0 in
    /// that geometry.
    pub means_error: Option<f64>,
    /// || W/||W||_F - T/||T||_F ||_F with rows t_k = sum_j sqrt(n_j) (delta_jk - 1/K) mu_j of T, the classifier
    /// matching the class means; 0 in that geometry. n_j are training counts. None without a classifier.
    pub classifier_error: Option<f64>,
}

impl OrthogonalFrame {
    /// Distances of class means and classifier rows, both (K, P), for the given training counts (K).
    pub(crate) fn of(
        means: MatRef<'_, f64>,
        weights: Option<MatRef<'_, f64>>,
        training_counts: &[usize],
    ) -> Self {
        let classes = means.nrows();
        let gram = means * means.transpose();
        let diagonal =
            Mat::from_fn(classes, classes, |row, column| if row == column { gram[(row, row)] } else { 0.0 });
        let cosine = |row: usize, column: usize| {
            let norms = (gram[(row, row)] * gram[(column, column)]).sqrt();
            (norms > 0.0).then(|| (gram[(row, column)] / norms).abs())
        };
        let pairs = (0..classes).flat_map(|row| (0..row).map(move |column| (row, column)));
        let cosines: Option<Vec<f64>> = pairs.map(|(row, column)| cosine(row, column)).collect();
        let predicted = || {
            let scaled = Mat::from_fn(classes, means.ncols(), |class, dim| {
                (training_counts[class] as f64).sqrt() * means[(class, dim)]
            });
            crate::linalg::centering(classes) * scaled
        };
        Self {
            mean_cosine: cosines.filter(|cosines| !cosines.is_empty()).map(|cosines| mean(&cosines)),
            means_error: normalized_distance(gram.as_ref(), diagonal.as_ref()),
            classifier_error: weights.and_then(|weights| normalized_distance(weights, predicted().as_ref())),
        }
    }
}
