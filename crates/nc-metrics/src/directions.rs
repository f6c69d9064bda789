//! NC2: norms and angles of a set of vectors.

use serde::{Deserialize, Serialize};

use crate::linalg::{mean, norm, std, times_transposed};

/// NC2 of vectors, one a class: equal norms and equal, largest possible angles make a simplex equiangular tight frame
/// (Papyan et al. 2020). For centred class means about mu_C, or for classifier rows, which are not centred.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Directions {
    /// The Euclidean norms.
    pub norms: Vec<f64>,
    /// Population standard deviation of the norms over their mean; 0 at collapse. None if all norms are 0.
    pub equinorm_cov: Option<f64>,
    /// Cosines between all pairs, 1 on the diagonal. Empty, and everything below None, for fewer than two vectors or
    /// where one has norm zero and so no direction.
    pub cosines: Vec<Vec<f64>>,
    /// Mean over ordered pairs of |cos + 1/(K-1)|; 0 at collapse.
    pub coherence: Option<f64>,
    /// Population standard deviation of the cosines of pairs; 0 at collapse.
    pub cosine_std: Option<f64>,
    /// The smallest angle between two vectors, in degrees; arccos(-1/(K-1)) at collapse.
    pub min_angle_degrees: Option<f64>,
    /// The mean over vectors of the angle to the nearest other one, in degrees: what L_B maximises.
    pub mean_nearest_angle_degrees: Option<f64>,
}

impl Directions {
    /// Measures vectors of `dims` dimensions, given row after row.
    ///
    /// ```
    /// // Two opposite vectors are the simplex ETF of two classes.
    /// let pair = nc_metrics::Directions::of(&[1.0, 0.0, -1.0, 0.0], 2);
    /// assert_eq!(pair.coherence, Some(0.0));
    /// assert_eq!(pair.min_angle_degrees, Some(180.0));
    /// ```
    pub fn of(rows: &[f64], dims: usize) -> Self {
        let vectors: Vec<&[f64]> = rows.chunks_exact(dims.max(1)).collect();
        let norms: Vec<f64> = vectors.iter().map(|vector| norm(vector)).collect();
        let typical = mean(&norms);
        let equinorm_cov = (typical > 0.0).then(|| std(&norms) / typical);
        let mut directions = Self {
            norms,
            equinorm_cov,
            cosines: vec![],
            coherence: None,
            cosine_std: None,
            min_angle_degrees: None,
            mean_nearest_angle_degrees: None,
        };
        let classes = vectors.len();
        if classes < 2 || directions.norms.contains(&0.0) {
            return directions;
        }
        let unit: Vec<f64> = vectors
            .iter()
            .zip(&directions.norms)
            .flat_map(|(v, norm)| v.iter().map(move |x| x / norm))
            .collect();
        let mut cosines: Vec<Vec<f64>> =
            times_transposed(&unit, &unit, dims).chunks_exact(classes).map(<[f64]>::to_vec).collect();
        cosines.iter_mut().enumerate().for_each(|(k, row)| row[k] = 1.0);
        let others =
            |k: usize| cosines[k].iter().enumerate().filter(move |&(j, _)| j != k).map(|(_, &cosine)| cosine);
        let pairs: Vec<f64> = (0..classes).flat_map(others).collect();
        let deviation = |cosine: &f64| (cosine + 1.0 / (classes - 1) as f64).abs();
        let nearest: Vec<f64> = (0..classes).map(|k| angle(others(k).fold(-1.0, f64::max))).collect();
        directions.coherence = Some(mean(&pairs.iter().map(deviation).collect::<Vec<_>>()));
        directions.cosine_std = Some(std(&pairs));
        directions.min_angle_degrees = nearest.iter().copied().reduce(f64::min);
        directions.mean_nearest_angle_degrees = Some(mean(&nearest));
        directions.cosines = cosines;
        directions
    }
}

/// The angle of a cosine, in degrees.
fn angle(cosine: f64) -> f64 {
    cosine.clamp(-1.0, 1.0).acos().to_degrees()
}
