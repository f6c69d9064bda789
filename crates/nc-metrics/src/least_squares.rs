//! Decomposition of a classifier's squared error along neural collapse.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Result, Scalar,
    error::check,
    linalg::{add_gram, mirror, solve_right},
};

/// Regularised squared error of a classifier W~ = (W, b) against one-hot labels, and its three parts (Han et al. 2022):
///
/// L(W~) = 1/2 sum_i p_i ||W h_i + b - y_i||^2 + r/2 ||W~||_F^2 = `nc1` + `nc23` + `perpendicular`
///
/// The sample weights p_i sum to 1. W~_LS, the minimiser of L, depends on the features alone. The first two parts sum
/// to L(W~_LS) and measure the collapse of the features; the third measures the classifier's distance from W~_LS.
///
/// ```
/// use nc_metrics::{Classifier, NeuralCollapse};
///
/// // Features collapsed to -1 and 1; W h + b is exactly the one-hot label, so only the ridge term remains.
/// let classifier = Classifier::new(&[0.5, -0.5], Some(&[0.5, 0.5]), 2, 1)?;
/// let nc = NeuralCollapse::of(&[1.0, 1.0, -1.0], &[0, 0, 1], 2, 1, Some(&classifier))?;
/// let mse = nc.mse.unwrap();
/// let parts = mse.class_weighted.unwrap();
/// assert!((parts.total - mse.ridge / 2.0 * 1.0).abs() < 1e-12); // ||W~||_F^2 = 4 * 0.5^2
/// assert!((parts.total - (parts.nc1 + parts.nc23 + parts.perpendicular)).abs() < 1e-12);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
///
/// Source: Han, Papyan and Donoho, "Neural collapse under MSE loss: proximity to and dynamics on the central path", ICLR
/// 2022.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MseDecomposition {
    /// r, the weight of ||W~||_F^2.
    pub ridge: f64,
    /// p_i = 1/n: samples weighted equally, so large classes weigh more.
    pub sample_weighted: Option<MseParts>,
    /// p_i = 1/(K n_k): classes weighted equally. On balanced data both are those of Han et al.
    pub class_weighted: Option<MseParts>,
}

/// Parts of [`MseDecomposition`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MseParts {
    /// L, the sum of the three parts.
    pub total: f64,
    /// NC1, from within-class variation: 1/2 tr(W_LS (S_W + r I) W_LS^T) + r/2 ||b_LS||^2 with
    /// S_W = sum_i p_i d_i d_i^T.
    pub nc1: f64,
    /// NC2 and NC3, from the class means: 1/2 sum_k p_k ||W_LS mu_k + b_LS - e_k||^2 with class weights p_k.
    pub nc23: f64,
    /// Classifier part: 1/2 tr((W~ - W~_LS) A (W~ - W~_LS)^T) with A = sum_i p_i (h_i; 1)(h_i; 1)^T + r I.
    pub perpendicular: f64,
}

/// Second pass over the features behind the class means, for [`MseDecomposition`].
///
/// Stores two (P, P) matrices and one row per class.
#[derive(Clone, Debug)]
pub struct MseAccumulator<'a> {
    means: &'a ClassMeans,
    classifier: &'a Classifier,
    ridge: f64,
    rows: Vec<Option<usize>>,
    counts: Vec<usize>,
    /// sum d_i per class with a mean, in units, row by row: 0 up to rounding for the samples behind the means.
    deviations: Vec<f64>,
    /// max |h_ij| relative to the origin of the means, in units.
    largest: f64,
    by_sample: Mat<f64>,
    by_class: Mat<f64>,
}

/// Rows per matrix product.
const BLOCK: usize = 1024;

impl<'a> MseAccumulator<'a> {
    /// r in Han et al. (2022), the weight decay of their networks.
    pub const RIDGE: f64 = 5e-4;

    /// An accumulator about the class means `means`, with r = `ridge` > 0.
    pub fn new(means: &'a ClassMeans, classifier: &'a Classifier, ridge: f64) -> Self {
        let dims = means.dims();
        Self {
            means,
            classifier,
            ridge,
            rows: means.rows(),
            counts: vec![0; means.present().len()],
            deviations: vec![0.0; means.means().len()],
            largest: 0.0,
            by_sample: Mat::zeros(dims, dims),
            by_class: Mat::zeros(dims, dims),
        }
    }

    /// Adds the features (N, P) from which the means were computed, with their labels.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, a feature is not finite, or the classifier has another shape;
    /// then nothing is added.
    pub fn update<T: Scalar>(&mut self, features: &[T], labels: &[u32]) -> Result<()> {
        self.classifier.check_fits(self.means)?;
        let dims = self.means.dims();
        let seen = self.counts.iter().sum();
        check("features", features, dims, labels, self.means.classes(), seen)?;
        let samples: usize = self.means.counts().iter().sum();
        let classes = self.means.counts().len() as f64;
        for (features, labels) in features.chunks(BLOCK * dims).zip(labels.chunks(BLOCK)) {
            let (mut by_sample, mut by_class) = (vec![], vec![]);
            for (feature, &label) in features.chunks_exact(dims).zip(labels) {
                let Some(row) = self.rows[label as usize] else { continue };
                self.counts[row] += 1;
                let sample_weight = (1.0 / samples as f64).sqrt();
                let class_weight = (1.0 / (classes * self.means.counts()[row] as f64)).sqrt();
                let deviation = || self.means.deviation(feature, row);
                let sums = self.deviations[row * dims..][..dims].iter_mut();
                sums.zip(deviation()).for_each(|(sum, d)| *sum += d);
                self.largest = self.means.in_units(feature).fold(self.largest, |most, x| most.max(x.abs()));
                by_sample.extend(deviation().map(|d| d * sample_weight * self.means.unit));
                by_class.extend(deviation().map(|d| d * class_weight * self.means.unit));
            }
            rayon::join(
                || add_gram(&mut self.by_sample, &by_sample),
                || add_gram(&mut self.by_class, &by_class),
            );
        }
        Ok(())
    }

    /// Computes the decomposition. None if the samples are not those behind the means, judged by their number and mean
    /// per class, or if the least-squares solution is not unique up to rounding, as for nearly equal features far from
    /// zero.
    pub fn finish(mut self) -> Option<MseDecomposition> {
        if self.counts != self.means.counts() || !self.is_about_own_means() {
            return None;
        }
        mirror(&mut self.by_sample);
        mirror(&mut self.by_class);
        let samples: usize = self.counts.iter().sum();
        let classes = self.counts.len() as f64;
        let by_sample: Vec<f64> = self.counts.iter().map(|&n| n as f64 / samples as f64).collect();
        let by_class = vec![1.0 / classes; self.counts.len()];
        Some(MseDecomposition {
            ridge: self.ridge,
            sample_weighted: self.parts(&self.by_sample, &by_sample),
            class_weighted: self.parts(&self.by_class, &by_class),
        })
    }

    /// True if the deviations of each class sum to zero up to rounding, as they do about the samples' own mean.
    ///
    /// With n samples, h the largest |h_ij| and u half the machine epsilon, the first-order rounding error in any order
    /// is at most n (n - 1) h u in the sum behind the mean, n h u in n times the quotient, 2 n h u in the deviations,
    /// which are at most 2 h each, and 2 n (n - 1) h u in their sum: together 3 n^2 h u. The tolerance is twice that.
    fn is_about_own_means(&self) -> bool {
        let mut classes = self.deviations.chunks_exact(self.means.dims()).zip(&self.counts);
        classes.all(|(sums, &n)| {
            let rounding = 3.0 * (n as f64).powi(2) * self.largest * f64::EPSILON;
            sums.iter().all(|sum| sum.abs() <= rounding)
        })
    }

    /// The parts for S_W = `within` and class weights p_k.
    fn parts(&self, within: &Mat<f64>, weights: &[f64]) -> Option<MseParts> {
        let (dims, classes) = (self.means.dims(), weights.len());
        let rows = self.classifier.rows_of(self.means);
        let bias = |row: usize| self.classifier.bias()[self.means.present()[row] as usize];
        let given = Mat::from_fn(classes, dims + 1, |row, column| {
            if column < dims { rows[row * dims + column] } else { bias(row) }
        });
        // Rows (mu_k; 1), and the same weighted.
        let means = Mat::from_fn(classes, dims + 1, |row, column| {
            if column < dims { self.means.means()[row * dims + column] } else { 1.0 }
        });
        let weighted = Mat::from_fn(classes, dims + 1, |row, column| weights[row] * means[(row, column)]);
        let mut second_moment = means.transpose() * &weighted;
        for column in 0..dims {
            for row in 0..dims {
                second_moment[(row, column)] += within[(row, column)];
            }
        }
        for dim in 0..=dims {
            second_moment[(dim, dim)] += self.ridge;
        }
        let least = solve_right(&second_moment, &weighted)?;

        let quadratic = |w: &Mat<f64>, a: &Mat<f64>| {
            let product = w * a;
            w.col_iter().zip(product.col_iter()).map(|(w, p)| w.transpose() * p).sum::<f64>()
        };
        let kernel = least.subcols(0, dims).to_owned();
        let nc1 = quadratic(&kernel, within) + self.ridge * least.squared_norm_l2();
        let outputs = &means * least.transpose();
        let errors = (0..classes).map(|class| {
            let error = |output: usize| outputs[(class, output)] - f64::from(class == output);
            weights[class] * (0..classes).map(|output| error(output).powi(2)).sum::<f64>()
        });
        let nc23: f64 = errors.sum();
        let perpendicular = quadratic(&(&given - &least), &second_moment);
        let total = (nc1 + nc23 + perpendicular) / 2.0;
        let parts = MseParts { total, nc1: nc1 / 2.0, nc23: nc23 / 2.0, perpendicular: perpendicular / 2.0 };
        total.is_finite().then_some(parts)
    }
}
