//! NC3: alignment of the classifier with the class means.

use serde::{Deserialize, Serialize};

use crate::{
    Result,
    error::{check_finite, check_length, check_rows},
    linalg::{centering, dot, matrix, mean, norm, normalized_distance, scaled, std, unit_of},
};

/// NC3, self-duality (Papyan et al. 2020): classifier rows w_k, not centred, are parallel to the centred class means
/// m_k = mu_k - mu_C.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Nc3 {
    /// || W/||W||_F - M/||M||_F ||_F^2 with rows w_k in W and m_k in M, both (K, P): 0 at collapse, 2 if unrelated, 4
    /// if opposite. Invariant to the scale of either. None if one of them is zero.
    pub duality_gap_squared: Option<f64>,
    /// Mean over classes of cos(w_k, m_k), classes weighted equally; 1 at collapse. None if any vector is zero.
    pub mean_alignment_cosine: Option<f64>,
    /// cos(w_k, m_k) of each class (K). Empty if any vector is zero.
    #[serde(default)]
    pub alignment_cosines: Vec<f64>,
    /// Uniform duality (Wu and Papyan 2024): population standard deviation over classes of <w_k, m_k>, divided by the
    /// absolute value of their mean; 0 at collapse, where the products are equal. None if the mean is zero up to
    /// rounding.
    pub uniformity_cov: Option<f64>,
    /// || W M^T/||W M^T||_F - (I - J/K)/sqrt(K-1) ||_F (Zhu et al. 2021): logits of the centred class means compared
    /// with those of a simplex ETF; 0 at collapse. None for fewer than two classes, or if W M^T is zero up to rounding.
    pub etf_error: Option<f64>,
}

impl Nc3 {
    /// NC3 of `weight` (K, P) and `centered_means` (K, P) of the same classes, both row by row; P = `dims`.
    ///
    /// ```
    /// use nc_metrics::Nc3;
    ///
    /// let means = [3.0, 4.0, -3.0, -4.0];
    /// let parallel = Nc3::of(&[6.0, 8.0, -6.0, -8.0], &means, 2)?;
    /// assert!(parallel.duality_gap_squared.unwrap() < 1e-15);
    /// assert_eq!(parallel.mean_alignment_cosine, Some(1.0));
    /// assert_eq!(parallel.uniformity_cov, Some(0.0));
    ///
    /// let at_right_angles = Nc3::of(&[4.0, -3.0, -4.0, 3.0], &means, 2)?;
    /// assert!((at_right_angles.duality_gap_squared.unwrap() - 2.0).abs() < 1e-15);
    /// assert_eq!(at_right_angles.mean_alignment_cosine, Some(0.0));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the lengths differ or are not multiples of P, or a value is not finite.
    pub fn of(weight: &[f64], centered_means: &[f64], dims: usize) -> Result<Self> {
        check_rows("weight", weight, dims)?;
        check_length("centered_means", centered_means, weight.len())?;
        check_finite("centered_means", centered_means, dims, 0)?;
        let [weight, centered_means] = [weight, centered_means].map(|rows| scaled(rows, unit_of(rows)));
        let (w, m) = (norm(&weight), norm(&centered_means));
        let gap = |(a, b): (&f64, &f64)| (a / w - b / m).powi(2);
        let duality_gap_squared =
            (w > 0.0 && m > 0.0).then(|| weight.iter().zip(&centered_means).map(gap).sum());
        let cosine = |(w, m): (&[f64], &[f64])| {
            let norms = norm(w) * norm(m);
            (norms > 0.0).then(|| dot(w, m) / norms)
        };
        let rows = || weight.chunks_exact(dims).zip(centered_means.chunks_exact(dims));
        let alignment_cosines = rows().map(cosine).collect::<Option<Vec<f64>>>().unwrap_or_default();
        let products: Vec<f64> = rows().map(|(w, m)| dot(w, m)).collect();
        let typical = products.iter().sum::<f64>().abs() / products.len().max(1) as f64;
        let rounding = f64::EPSILON * products.iter().map(|product| product.abs()).sum::<f64>();
        let logits = matrix(&weight, dims) * matrix(&centered_means, dims).transpose();
        let ideal = centering(products.len());
        let etf_error = normalized_distance(logits.as_ref(), ideal.as_ref());
        Ok(Self {
            duality_gap_squared,
            mean_alignment_cosine: (!alignment_cosines.is_empty()).then(|| mean(&alignment_cosines)),
            alignment_cosines,
            uniformity_cov: (typical > rounding).then(|| std(&products) / typical),
            etf_error: etf_error.filter(|_| logits.norm_l2() > f64::EPSILON * w * m),
        })
    }
}
