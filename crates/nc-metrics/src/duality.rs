//! NC3: the classifier against the class means.

use serde::{Deserialize, Serialize};

use crate::linalg::{dot, norm};

/// NC3, self-duality: classifier rows w_k parallel to centred class means m_k (Papyan et al. 2020).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc3 {
    /// || W/||W||_F - M/||M||_F ||_F^2, from 0 at collapse to 4. None if one of them is zero.
    pub duality_gap_squared: Option<f64>,
    /// Mean over classes of cos(w_k, m_k); 1 at collapse. None if one of the vectors is zero.
    pub mean_alignment_cosine: Option<f64>,
}

impl Nc3 {
    /// Compares classifier rows with centred means of the same classes, both row after row.
    ///
    /// ```
    /// let nc3 = nc_metrics::Nc3::of(&[3.0, 0.0, -3.0, 0.0], &[1.0, 0.0, -1.0, 0.0], 2);
    /// assert_eq!(nc3.duality_gap_squared, Some(0.0));
    /// assert_eq!(nc3.mean_alignment_cosine, Some(1.0));
    /// ```
    pub fn of(weight: &[f64], centered_means: &[f64], dims: usize) -> Self {
        let (w, m) = (norm(weight), norm(centered_means));
        let gap = |(a, b): (&f64, &f64)| (a / w - b / m).powi(2);
        let duality_gap_squared =
            (w > 0.0 && m > 0.0).then(|| weight.iter().zip(centered_means).map(gap).sum());
        let rows = weight.chunks_exact(dims.max(1)).zip(centered_means.chunks_exact(dims.max(1)));
        let classes = rows.len() as f64;
        let cosines: Option<f64> = rows
            .map(|(w, m)| {
                let norms = norm(w) * norm(m);
                (norms > 0.0).then(|| dot(w, m) / norms)
            })
            .sum();
        Self { duality_gap_squared, mean_alignment_cosine: cosines.map(|sum| sum / classes) }
    }
}
