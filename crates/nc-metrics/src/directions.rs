//! NC2: norms and angles of a set of vectors.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::{
    Result,
    error::check_rows,
    linalg::{centering, mean, norm, normalized_distance, scaled, std, times_transposed, unit_of},
};

/// NC2 of K vectors, one per class: equal norms and equal, largest possible angles form a simplex equiangular tight
/// frame (Papyan et al. 2020). Applies to the centred class means m_k = mu_k - mu_C, or to the classifier rows w_k,
/// which are not centred. Vectors are weighted equally, whatever the class sizes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Directions {
    /// Euclidean norms (K).
    pub norms: Vec<f64>,
    /// Population standard deviation of the norms divided by their mean; 0 at collapse. None if all norms are 0.
    pub equinorm_cov: Option<f64>,
    /// Cosines between all pairs (K, K), 1 on the diagonal. Empty for more than 256 vectors, where they would
    /// dominate the record. With fewer than two vectors or a vector of norm zero, which has no direction, this is empty
    /// and everything below None.
    pub cosines: Vec<Vec<f64>>,
    /// Mean over ordered pairs of |cos + 1/(K-1)|; 0 at collapse.
    pub coherence: Option<f64>,
    /// Population standard deviation of the pairs' cosines; 0 at collapse.
    pub cosine_std: Option<f64>,
    /// Smallest angle between two vectors, in degrees; arccos(-1/(K-1)) at collapse.
    pub min_angle_degrees: Option<f64>,
    /// Mean over vectors of the angle to the nearest other one, in degrees, which L_B of Liu et al. (2023a, eq. 15)
    /// maximises; arccos(-1/(K-1)) at collapse.
    pub mean_nearest_angle_degrees: Option<f64>,
    /// || G/||G||_F - (I - J/K)/sqrt(K-1) ||_F with the Gram matrix G of the vectors (Zhu et al. 2021): norms and
    /// angles compared with those of a simplex ETF in one number; 0 at collapse.
    pub etf_error: Option<f64>,
    /// Mean over pairs of log(1/||u_i - u_j||), with u the vectors normalised to length 1: the energy that generalised
    /// neural collapse minimises when there are too many classes for a simplex ETF (Liu et al. 2023b, GNC2; Wu and
    /// Papyan 2024). -log(2 + 2/(K-1))/2 for a simplex ETF. None if two directions coincide up to rounding, which for
    /// class means is that of the features' type.
    pub log_energy: Option<f64>,
    /// Population standard deviation over pairs of the same; 0 if all pairs are equally far apart.
    pub log_energy_std: Option<f64>,
}

impl Directions {
    /// NC2 of vectors (K, P), row by row; P = `dims`.
    ///
    /// ```
    /// use nc_metrics::Directions;
    ///
    /// // Two opposite vectors are the simplex ETF of two classes.
    /// let pair = Directions::of(&[1.0, 0.0, -1.0, 0.0], 2)?;
    /// assert_eq!(pair.coherence, Some(0.0));
    /// assert_eq!(pair.min_angle_degrees, Some(180.0));
    ///
    /// // The axes of a space are not an ETF: their cosines are 0, not -1/2.
    /// let axes = Directions::of(&[1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0], 3)?;
    /// assert_eq!(axes.norms, [1.0, 2.0, 3.0]);
    /// assert_eq!(axes.equinorm_cov, Some((2.0_f64 / 3.0).sqrt() / 2.0));
    /// assert_eq!(axes.coherence, Some(0.5));
    /// assert_eq!(axes.cosine_std, Some(0.0));
    /// assert_eq!(axes.mean_nearest_angle_degrees, Some(90.0));
    /// assert!((axes.log_energy.unwrap() + 2f64.ln() / 2.0).abs() < 1e-15); // sqrt(2) apart
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the length is not a multiple of P, or a value is not finite.
    pub fn of(rows: &[f64], dims: usize) -> Result<Self> {
        check_rows("vectors", rows, dims)?;
        let unit = unit_of(rows);
        Ok(Self::of_units(&scaled(rows, unit), dims, unit, 0.0))
    }

    /// NC2 of vectors in units of `unit`, accurate to `rounding` units.
    pub(crate) fn of_units(rows: &[f64], dims: usize, unit: f64, rounding: f64) -> Self {
        let norms: Vec<f64> = rows.chunks_exact(dims).map(norm).collect();
        let typical = if norms.is_empty() { 0.0 } else { mean(&norms) };
        let mut directions = Self {
            equinorm_cov: (typical > 0.0).then(|| std(&norms) / typical),
            norms,
            cosines: vec![],
            coherence: None,
            cosine_std: None,
            min_angle_degrees: None,
            mean_nearest_angle_degrees: None,
            etf_error: None,
            log_energy: None,
            log_energy_std: None,
        };
        if directions.norms.len() >= 2 && !directions.norms.contains(&0.0) {
            directions.measure_angles(rows, dims, rounding);
        }
        directions.norms.iter_mut().for_each(|norm| *norm *= unit);
        directions
    }

    /// Computes all pairwise metrics, for at least two non-zero vectors.
    fn measure_angles(&mut self, rows: &[f64], dims: usize, rounding: f64) {
        let classes = self.norms.len();
        let scaled = |(row, norm): (&[f64], &f64)| row.iter().map(|x| x / norm).collect::<Vec<_>>();
        let unit: Vec<f64> = rows.chunks_exact(dims).zip(&self.norms).flat_map(scaled).collect();
        let mut cosines: Vec<Vec<f64>> =
            times_transposed(&unit, &unit, dims).chunks_exact(classes).map(<[f64]>::to_vec).collect();
        cosines.iter_mut().enumerate().for_each(|(k, row)| row[k] = 1.0);

        let others = |k: usize| cosines[k][..k].iter().chain(&cosines[k][k + 1..]).copied();
        let pairs: Vec<f64> = (0..classes).flat_map(others).collect();
        let ideal = -1.0 / (classes - 1) as f64;
        let deviations: Vec<f64> = pairs.iter().map(|cosine| (cosine - ideal).abs()).collect();
        let nearest: Vec<f64> = (0..classes).map(|k| degrees(others(k).fold(-1.0, f64::max))).collect();
        self.coherence = Some(mean(&deviations));
        self.cosine_std = Some(std(&pairs));
        self.min_angle_degrees = nearest.iter().copied().reduce(f64::min);
        self.mean_nearest_angle_degrees = Some(mean(&nearest));
        let gram = Mat::from_fn(classes, classes, |i, j| self.norms[i] * self.norms[j] * cosines[i][j]);
        self.etf_error = normalized_distance(gram.as_ref(), centering(classes).as_ref());
        // ||u - v||^2 = 2 - 2 cos.
        let energies: Vec<f64> = pairs.iter().map(|cosine| -(2.0 - 2.0 * cosine).ln() / 2.0).collect();
        let shortest = self.norms.iter().copied().fold(f64::INFINITY, f64::min);
        let coinciding = COINCIDING.max(2.0 * (rounding / shortest).powi(2));
        if pairs.iter().all(|&cosine| cosine < 1.0 - coinciding) {
            self.log_energy = Some(mean(&energies));
            self.log_energy_std = Some(std(&energies));
        }
        if classes <= MOST_COSINES {
            self.cosines = cosines;
        }
    }
}

/// Maximum number of vectors for which all cosines are kept.
const MOST_COSINES: usize = 256;

/// Cosines within this of 1 differ from it by f64 rounding only.
const COINCIDING: f64 = 1e-14;

/// Angle of a cosine, in degrees.
fn degrees(cosine: f64) -> f64 {
    cosine.clamp(-1.0, 1.0).acos().to_degrees()
}
