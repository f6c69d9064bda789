//! NC1: how far features collapse to their class means.

use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Result,
    error::check,
    linalg::{dot, mean, right_singular, times_transposed},
};

/// NC1, within-class variability against the spread of the class means.
///
/// With d_i = h_i - mu_{y_i}, m_k = mu_k - mu_C and S_B = (1/K) sum_k m_k m_k^T over the present classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc1 {
    /// tr(S_W pinv(S_B)) / K.
    pub trace: Nc1Trace,
    /// v_k = (1/n_k) sum_{y_i = k} ||d_i||^2 of each present class.
    pub within_class_variance: Vec<f64>,
    /// Class-distance normalised variance (Galanti et al. 2022): the mean over ordered pairs i != j of
    /// (v_i + v_j) / (2 ||mu_i - mu_j||^2). None for a single class or coinciding means.
    pub cdnv: Option<f64>,
}

/// tr(S_W pinv(S_B)) / K (Papyan et al. 2020), 0 at collapse. The pseudo-inverse drops eigenvalues below P times the
/// machine epsilon of the largest. None where S_B is zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc1Trace {
    /// S_W = (1/n) sum_i d_i d_i^T: as the literature on balanced data.
    pub sample_weighted: Option<f64>,
    /// S_W = (1/K) sum_k (1/n_k) sum_{y_i = k} d_i d_i^T: each class counts the same.
    pub class_weighted: Option<f64>,
}

/// Second pass over features: [`Nc1`] about the means of the first.
///
/// tr(S_W pinv(S_B)) is the mean of ||pinv(S_B)^(1/2) d_i||^2, so no P x P matrix is ever formed.
#[derive(Clone, Debug)]
pub struct WithinAccumulator<'a> {
    means: &'a ClassMeans,
    rows: Vec<Option<usize>>,
    /// pinv(S_B)^(1/2) in the basis of its eigenvectors, by rows (rank, P).
    whitening: Vec<f64>,
    /// For each present class: samples, sum of ||d||^2, sum of ||pinv(S_B)^(1/2) d||^2.
    counts: Vec<usize>,
    squares: Vec<f64>,
    whitened: Vec<f64>,
}

/// Rows that go through a product at once.
const BLOCK: usize = 256;

impl<'a> WithinAccumulator<'a> {
    /// About the class means `means`.
    pub fn new(means: &'a ClassMeans) -> Self {
        let classes = means.present().len();
        Self {
            means,
            rows: means.rows(),
            whitening: whitening(means).unwrap_or_default(),
            counts: vec![0; classes],
            squares: vec![0.0; classes],
            whitened: vec![0.0; classes],
        }
    }

    /// Takes in features (N, P) and their labels. Samples of classes without a mean are passed over.
    pub fn update(&mut self, features: &[f32], labels: &[u32]) -> Result<()> {
        let dims = self.means.dims();
        check("features", features, dims, labels, self.means.classes(), self.counts.iter().sum())?;
        let rank = self.whitening.len() / dims;
        for (features, labels) in features.chunks(BLOCK * dims).zip(labels.chunks(BLOCK)) {
            let (mut deviations, mut rows) =
                (Vec::with_capacity(features.len()), Vec::with_capacity(labels.len()));
            for (feature, &label) in features.chunks_exact(dims).zip(labels) {
                let Some(row) = self.rows[label as usize] else { continue };
                let mean = &self.means.means()[row * dims..][..dims];
                deviations.extend(feature.iter().zip(mean).map(|(&x, mean)| f64::from(x) - mean));
                rows.push(row);
            }
            let whitened = times_transposed(&deviations, &self.whitening, dims);
            for (index, row) in rows.into_iter().enumerate() {
                let (d, w) = (&deviations[index * dims..][..dims], &whitened[index * rank..][..rank]);
                self.counts[row] += 1;
                self.squares[row] += dot(d, d);
                self.whitened[row] += dot(w, w);
            }
        }
        Ok(())
    }

    /// The figures.
    pub fn finish(self) -> Nc1 {
        let per_sample = |sums: &[f64]| -> Vec<f64> {
            sums.iter().zip(&self.counts).map(|(sum, &n)| sum / n.max(1) as f64).collect()
        };
        let within_class_variance = per_sample(&self.squares);
        let classes = self.means.present().len() as f64;
        let trace = (!self.whitening.is_empty()).then(|| {
            let samples = self.counts.iter().sum::<usize>().max(1) as f64;
            (
                self.whitened.iter().sum::<f64>() / samples / classes,
                mean(&per_sample(&self.whitened)) / classes,
            )
        });
        Nc1 {
            trace: Nc1Trace {
                sample_weighted: trace.map(|(by_sample, _)| by_sample),
                class_weighted: trace.map(|(_, by_class)| by_class),
            },
            cdnv: cdnv(self.means, &within_class_variance),
            within_class_variance,
        }
    }
}

/// pinv(S_B)^(1/2): with M / sqrt(K) = U S V^T by the singular value decomposition of the centred means, the rows
/// v_r / s_r. Empty if S_B is zero.
fn whitening(means: &ClassMeans) -> Option<Vec<f64>> {
    let scale = (means.present().len() as f64).sqrt();
    let rows: Vec<f64> = means.centered().iter().map(|x| x / scale).collect();
    let (values, vectors) = right_singular(&rows, means.dims())?;
    let largest = values.first().copied().filter(|&value| value > 0.0)?;
    let tolerance = means.dims() as f64 * f64::EPSILON * largest * largest;
    let kept = values.iter().zip(vectors).filter(|(value, _)| *value * *value > tolerance);
    Some(kept.flat_map(|(value, vector)| vector.into_iter().map(move |x| x / value)).collect())
}

fn cdnv(means: &ClassMeans, variance: &[f64]) -> Option<f64> {
    let rows: Vec<&[f64]> = means.means().chunks_exact(means.dims()).collect();
    let mut sum = 0.0;
    for i in 0..rows.len() {
        for j in 0..i {
            let distance: f64 = rows[i].iter().zip(rows[j]).map(|(a, b)| (a - b).powi(2)).sum();
            sum += (variance[i] + variance[j]) / (2.0 * distance);
        }
    }
    let pairs = rows.len() * rows.len().saturating_sub(1) / 2;
    (pairs > 0).then(|| sum / pairs as f64).filter(|value| value.is_finite())
}
