//! The geometry expected on imbalanced data: simplex-encoded-labels interpolation.

use faer::{Mat, MatRef};
use serde::{Deserialize, Serialize};

use crate::linalg::{centering, normalized_distance, square_roots};

/// Distance to simplex-encoded-labels interpolation (SELI, Thrampoulidis et al. 2022), to which classifier and features
/// of an unconstrained-features model converge on imbalanced data. The simplex ETF is the special case of equal counts.
///
/// Each metric is || G/||G||_F - T/||T||_F ||_F of a (K, K) matrix G and its target T: 0 in that geometry, and
/// invariant to the scale of the vectors. The fields give the targets in terms of N = diag(n_k) of the training counts,
/// C = I - J/K and S = C N C (rank K - 1, so that its inverse root is a pseudo-inverse).
///
/// ```
/// use nc_metrics::{Classifier, NeuralCollapse};
///
/// // Equal counts, features collapsed to the corners of an equilateral triangle about the origin, aligned classifier.
/// let triangle = [1.0, 0.0, -0.5, 0.75f32.sqrt(), -0.5, -0.75f32.sqrt()];
/// let classifier = Classifier::new(&triangle, None, 3, 2)?;
/// let seli = NeuralCollapse::of(&triangle, &[0, 1, 2], 3, 2, Some(&classifier))?.seli.unwrap();
/// assert!(seli.means_error.unwrap() < 1e-6 && seli.logits_error.unwrap() < 1e-6);
///
/// // Class means not centred at the origin do not have this geometry, although they form a simplex ETF once centred.
/// let moved = triangle.map(|x| x + 1.0);
/// let seli = NeuralCollapse::of(&moved, &[0, 1, 2], 3, 2, Some(&classifier))?.seli.unwrap();
/// assert!(seli.means_error.unwrap() > 0.5);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
///
/// Source: Thrampoulidis, Kini, Vakilian and Behnia, "Imbalance trouble: revisiting neural-collapse geometry", NeurIPS 2022.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seli {
    /// G = W W^T of the classifier rows, T = S^(1/2). None without a classifier.
    pub weights_error: Option<f64>,
    /// G = H H^T of the class means mu_k, *not* centred, T = C pinv(S)^(1/2) C.
    pub means_error: Option<f64>,
    /// G = W H^T: the logits (without bias) of the class means, T = C. None without a classifier.
    pub logits_error: Option<f64>,
}

/// Targets of [`Seli`] for given training counts, each (K, K).
#[derive(Clone, Debug, PartialEq)]
pub struct SeliTargets {
    weights: Mat<f64>,
    means: Mat<f64>,
    logits: Mat<f64>,
}

impl SeliTargets {
    /// Targets for the given training counts (K). None for fewer than two classes or if a class has no samples.
    ///
    /// ```
    /// // Equal counts: all three are the Gram matrix of a simplex ETF, up to scale.
    /// let targets = nc_metrics::SeliTargets::new(&[4, 4, 4]).unwrap();
    /// let gram = targets.weights();
    /// assert!((gram[0][1] / gram[0][0] + 0.5).abs() < 1e-12);
    /// ```
    pub fn new(training_counts: &[usize]) -> Option<Self> {
        if training_counts.len() < 2 || training_counts.contains(&0) {
            return None;
        }
        let center = centering(training_counts.len());
        let scaled = Mat::from_fn(center.nrows(), center.ncols(), |row, column| {
            training_counts[row] as f64 * center[(row, column)]
        });
        let (root, inverse_root) = square_roots(&(&center * scaled))?;
        Some(Self { weights: root, means: &center * inverse_root * &center, logits: center })
    }

    /// Target of W W^T.
    pub fn weights(&self) -> Vec<Vec<f64>> {
        rows(&self.weights)
    }

    /// Target of H H^T of the class means.
    pub fn means(&self) -> Vec<Vec<f64>> {
        rows(&self.means)
    }

    /// Compares class means and classifier rows, both (K, P), with the targets.
    pub(crate) fn compare(&self, means: MatRef<'_, f64>, weights: Option<MatRef<'_, f64>>) -> Seli {
        let distance = |a: MatRef<'_, f64>, b: MatRef<'_, f64>, target: &Mat<f64>| {
            normalized_distance((a * b.transpose()).as_ref(), target.as_ref())
        };
        Seli {
            weights_error: weights.and_then(|weights| distance(weights, weights, &self.weights)),
            means_error: distance(means, means, &self.means),
            logits_error: weights.and_then(|weights| distance(weights, means, &self.logits)),
        }
    }
}

fn rows(matrix: &Mat<f64>) -> Vec<Vec<f64>> {
    matrix.row_iter().map(|row| row.iter().copied().collect()).collect()
}
