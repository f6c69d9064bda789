//! NC1: collapse of features to their class means.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Result, Scalar,
    error::check,
    linalg::{dot, mean, rescaled, right_singular, squared_distance, times_transposed},
};

/// NC1, within-class variability relative to the spread of the class means.
///
/// With d_i = h_i - mu_{y_i}, m_k = mu_k - mu_C and S_B = (1/K) sum_k m_k m_k^T over the classes with a mean.
///
/// None if S_W is only rounding: tr(S_W) is not exactly 0, at most r^2/4, and r^2/4 is above 1e-7 tr(S_B), with r as in
/// the documentation of the [crate].
///
/// ```
/// use nc_metrics::NeuralCollapse;
///
/// // Class 0 at 0 and 2, class 1 at 10: mu = 1 and 10, mu_C = 5.5, S_B = 4.5^2.
/// let nc1 = NeuralCollapse::of(&[0.0, 2.0, 10.0], &[0, 0, 1], 2, 1, None)?.nc1;
/// assert_eq!(nc1.within_class_variance, [Some(1.0), Some(0.0)]);
/// assert_eq!(nc1.cdnv, Some((1.0 + 0.0) / (2.0 * 81.0)));
/// let (by_sample, by_class) = (2.0 / 3.0, 1.0 / 2.0); // S_W
/// assert!((nc1.trace.sample_weighted.unwrap() - by_sample / 20.25 / 2.0).abs() < 1e-15);
/// assert!((nc1.trace.class_weighted.unwrap() - by_class / 20.25 / 2.0).abs() < 1e-15);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc1 {
    /// tr(S_W pinv(S_B)) / K (Papyan et al. 2020); 0 at collapse, invariant to scaling, shifting and rotation of the
    /// features. The pseudo-inverse drops eigenvalues up to P times the machine epsilon of the largest, or up to r^2.
    pub trace: Weighted,
    /// tr(S_W) / tr(S_B) (Tirer and Bruna 2022); 0 at collapse, without an inverse. Like `normalized`, undefined in
    /// older records that lack it.
    #[serde(default)]
    pub quotient: Weighted,
    /// tr(S_W) / (tr(S_W) + tr(S_B)) (Rangamani et al. 2023): the quotient mapped to 0 (at collapse) to 1.
    #[serde(default)]
    pub normalized: Weighted,
    /// v_k = (1/n_k) sum_{y_i = k} ||d_i||^2 per class with a mean; None for a class without samples in this pass, or
    /// if it is only rounding.
    pub within_class_variance: Vec<Option<f64>>,
    /// Class-distance normalised variance (Galanti et al. 2022): mean over ordered pairs i != j of
    /// (v_i + v_j) / (2 ||mu_i - mu_j||^2), classes weighted equally; 0 at collapse. None for fewer than two classes,
    /// coinciding means or a missing v_k.
    pub cdnv: Option<f64>,
}

/// A metric of the within-class covariance S_W in two weightings, which differ on imbalanced data. None if S_B is zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Weighted {
    /// S_W = (1/n) sum_i d_i d_i^T, as in the literature on balanced data.
    pub sample_weighted: Option<f64>,
    /// S_W = mean over classes with samples of (1/n_k) sum_{y_i = k} d_i d_i^T: classes weighted equally.
    pub class_weighted: Option<f64>,
}

/// Second pass over features: [`Nc1`] about the means of the first pass.
///
/// tr(S_W pinv(S_B)) is the mean of ||pinv(S_B)^(1/2) d_i||^2, so no P x P matrix is formed: blocks of rows are
/// multiplied by a matrix (rank, P) with rank < K.
#[derive(Clone, Debug)]
pub struct WithinAccumulator<'a> {
    means: &'a ClassMeans,
    rows: Vec<Option<usize>>,
    /// pinv(S_B)^(1/2) in the basis of its eigenvectors, row by row (rank, P).
    whitening: Vec<f64>,
    seen: usize,
    /// Sums per class with a mean.
    sums: Vec<Sums>,
}

#[derive(Clone, Debug, Default)]
struct Sums {
    samples: usize,
    /// Sum of ||d||^2.
    squares: f64,
    /// Sum of ||pinv(S_B)^(1/2) d||^2.
    whitened: f64,
}

/// Rows per matrix product.
const BLOCK: usize = 256;

/// Share of tr(S_B) below which rounding cannot move NC1 noticeably away from 0.
const COLLAPSED: f64 = 1e-7;

impl<'a> WithinAccumulator<'a> {
    /// An accumulator about the class means `means`.
    pub fn new(means: &'a ClassMeans) -> Self {
        Self {
            means,
            rows: means.rows(),
            whitening: whitening(means).unwrap_or_default(),
            seen: 0,
            sums: vec![Sums::default(); means.present().len()],
        }
    }

    /// Adds features (N, P) with their labels; skips samples of classes without a mean.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, or a feature is not finite; then nothing is added.
    pub fn update<T: Scalar>(&mut self, features: &[T], labels: &[u32]) -> Result<()> {
        let dims = self.means.dims();
        check("features", features, dims, labels, self.means.classes(), self.seen)?;
        self.seen += labels.len();
        let blocks = features.par_chunks(BLOCK * dims).zip(labels.par_chunks(BLOCK));
        let squares: Vec<_> = blocks.map(|(features, labels)| self.squares_of(features, labels)).collect();
        for (row, square, whitened) in squares.into_iter().flatten() {
            let sums = &mut self.sums[row];
            sums.samples += 1;
            sums.squares += square;
            sums.whitened += whitened;
        }
        Ok(())
    }

    /// Class row, ||d||^2 and ||pinv(S_B)^(1/2) d||^2 of each sample whose class has a mean.
    fn squares_of<T: Scalar>(&self, features: &[T], labels: &[u32]) -> Vec<(usize, f64, f64)> {
        let dims = self.means.dims();
        let (mut deviations, mut rows) = (Vec::with_capacity(features.len()), vec![]);
        for (feature, &label) in features.chunks_exact(dims).zip(labels) {
            let Some(row) = self.rows[label as usize] else { continue };
            deviations.extend(self.means.deviation(feature, row));
            rows.push(row);
        }
        let rank = self.whitening.len() / dims;
        let whitened = times_transposed(&deviations, &self.whitening, dims);
        let square = |(index, &row): (usize, &usize)| {
            let (d, w) = (&deviations[index * dims..][..dims], &whitened[index * rank..][..rank]);
            (row, dot(d, d), dot(w, w))
        };
        rows.iter().enumerate().map(square).collect()
    }

    /// Number of samples so far.
    pub fn samples(&self) -> usize {
        self.sums.iter().map(|sums| sums.samples).sum()
    }

    /// Computes the metrics.
    pub fn finish(self) -> Nc1 {
        let measured: Vec<&Sums> = self.sums.iter().filter(|sums| sums.samples > 0).collect();
        let defined = !self.whitening.is_empty() && !measured.is_empty();
        let classes = self.means.present().len() as f64;
        let centered = self.means.centered_units();
        let between = dot(&centered, &centered) / classes;
        // Half the distance by which rounding can separate two means.
        let rounding = (self.means.rounding / 2.0).powi(2);
        let known = |variance: f64| variance == 0.0 || variance > rounding || rounding <= COLLAPSED * between;
        // Mean of a per-sample quantity in both weightings, by sample and by class.
        let means = |sum: fn(&Sums) -> f64| {
            let by_class: Vec<f64> = measured.iter().map(|sums| sum(sums) / sums.samples as f64).collect();
            let total: f64 = measured.iter().map(|sums| sum(sums)).sum();
            [total / self.samples() as f64, mean(&by_class)]
        };
        let variances = means(|sums| sums.squares);
        // A metric of tr(S_W), computed in both weightings from the sums per class.
        let weighted = |sum: fn(&Sums) -> f64, figure: &dyn Fn(f64) -> f64| {
            let traces = means(sum);
            let of = |i: usize| (defined && known(variances[i])).then(|| figure(traces[i]));
            Weighted { sample_weighted: of(0), class_weighted: of(1) }
        };
        let variance = |sums: &Sums| {
            let variance = sums.squares / sums.samples as f64;
            (sums.samples > 0 && known(variance)).then_some(variance)
        };
        let variances: Vec<Option<f64>> = self.sums.iter().map(variance).collect();
        let squared_unit = self.means.unit.powi(2);
        Nc1 {
            trace: weighted(|sums| sums.whitened, &|trace| trace / classes),
            quotient: weighted(|sums| sums.squares, &|trace| trace / between),
            normalized: weighted(|sums| sums.squares, &|trace| trace / (trace + between)),
            cdnv: cdnv(self.means, &variances),
            within_class_variance: variances.iter().map(|v| rescaled((*v)?, squared_unit)).collect(),
        }
    }
}

/// pinv(S_B)^(1/2): the rows v_r / s_r of the singular value decomposition M / sqrt(K) = U S V^T of the centred means.
/// None if S_B is zero.
fn whitening(means: &ClassMeans) -> Option<Vec<f64>> {
    let (dims, scale) = (means.dims(), (means.present().len() as f64).sqrt());
    let rows: Vec<f64> = means.centered_units().iter().map(|x| x / scale).collect();
    let (values, vectors) = right_singular(&rows, dims)?;
    let largest = values.first().copied().filter(|&value| value > 0.0)?;
    // The eigenvalues of S_B are the squares of the singular values.
    let tolerance = (dims as f64 * f64::EPSILON * largest * largest).max(means.rounding.powi(2));
    let kept = values.iter().zip(vectors.chunks_exact(dims)).filter(|(value, _)| *value * *value > tolerance);
    Some(kept.flat_map(|(value, vector)| vector.iter().map(move |x| x / value)).collect())
}

fn cdnv(means: &ClassMeans, variance: &[Option<f64>]) -> Option<f64> {
    let variance: Vec<f64> = variance.iter().copied().collect::<Option<_>>()?;
    let rows: Vec<&[f64]> = means.offsets.chunks_exact(means.dims()).collect();
    let mut sum = 0.0;
    for i in 0..rows.len() {
        for j in 0..i {
            let squared = squared_distance(rows[i], rows[j]);
            if squared <= means.rounding * means.rounding {
                return None;
            }
            sum += (variance[i] + variance[j]) / (2.0 * squared);
        }
    }
    let pairs = rows.len() * (rows.len() - 1) / 2;
    (pairs > 0).then(|| sum / pairs as f64)
}
