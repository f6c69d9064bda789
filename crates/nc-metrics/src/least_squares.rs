//! The squared error of a classifier, taken apart along neural collapse.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Result, Scalar,
    error::check,
    linalg::{add_gram, mirror, solve_right},
};

/// The regularised squared error of a classifier W~ = (W, b) to one-hot labels, and its three parts (Han et al. 2022):
///
/// L(W~) = 1/2 sum_i p_i ||W h_i + b - y_i||^2 + r/2 ||W~||_F^2 = `nc1` + `nc23` + `perpendicular`
///
/// The weights p_i of the samples sum to 1. W~_LS, the classifier of least L, is that of the features themselves; the
/// first two parts are its L, which says how far the features have collapsed whatever the classifier; the third is how
/// far the classifier is from it.
///
/// ```
/// use nc_metrics::{Classifier, NeuralCollapse};
///
/// // Features collapsed to -1 and 1; W h + b is exactly the one-hot label, so that the ridge alone is left.
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
    /// r: the weight of ||W~||_F^2.
    pub ridge: f64,
    /// p_i = 1/n: each sample counts the same, and a large class more.
    pub sample_weighted: Option<MseParts>,
    /// p_i = 1/(K n_k): each class counts the same. On balanced data both are Han's.
    pub class_weighted: Option<MseParts>,
}

/// The parts of [`MseDecomposition`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MseParts {
    /// L, the sum of the parts.
    pub total: f64,
    /// 1/2 tr(W_LS (S_W + r I) W_LS^T) + r/2 ||b_LS||^2: NC1, from the variation within classes, with
    /// S_W = sum_i p_i d_i d_i^T.
    pub nc1: f64,
    /// 1/2 sum_k p_k ||W_LS mu_k + b_LS - e_k||^2, p_k the weight of class k: NC2 and NC3, from the class means.
    pub nc23: f64,
    /// 1/2 tr((W~ - W~_LS) A (W~ - W~_LS)^T) with A = sum_i p_i (h_i; 1)(h_i; 1)^T + r I: from the classifier.
    pub perpendicular: f64,
}

/// Second pass over the features of which the means are: [`MseDecomposition`].
///
/// It keeps two (P, P) matrices and a row for each class.
#[derive(Clone, Debug)]
pub struct MseAccumulator<'a> {
    means: &'a ClassMeans,
    classifier: &'a Classifier,
    ridge: f64,
    rows: Vec<Option<usize>>,
    counts: Vec<usize>,
    /// sum d_i of each class with a mean, in units, by rows: 0 up to rounding for the samples of the means.
    deviations: Vec<f64>,
    /// max |h_ij| from the origin of the means, in units.
    largest: f64,
    by_sample: Mat<f64>,
    by_class: Mat<f64>,
}

/// Rows that go through a product at once.
const BLOCK: usize = 1024;

impl<'a> MseAccumulator<'a> {
    /// r of Han et al. (2022), the weight decay of their networks.
    pub const RIDGE: f64 = 5e-4;

    /// About the class means `means`, with r = `ridge` > 0.
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

    /// Takes in features (N, P) and their labels, which the means were taken of.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, a feature is not finite, or the classifier is of another shape;
    /// then nothing is taken in.
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

    /// The figures. None if the samples were not those of the means, as their number or their mean in a class shows,
    /// or the least-squares problem has no unique solution up to rounding, as of features far from zero that differ little.
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

    /// Whether the deviations of each class add up to zero up to rounding, as they do about the samples' own mean.
    ///
    /// With n samples, h the largest |h_ij| and u half the machine epsilon, rounding in any order is to first order at
    /// most n (n - 1) h u in the sum behind the mean, n h u in n times the quotient, 2 n h u in the deviations, none of
    /// which is above 2 h, and 2 n (n - 1) h u in their sum: together 3 n^2 h u. Twice that is let pass.
    fn is_about_own_means(&self) -> bool {
        let mut classes = self.deviations.chunks_exact(self.means.dims()).zip(&self.counts);
        classes.all(|(sums, &n)| {
            let rounding = 3.0 * (n as f64).powi(2) * self.largest * f64::EPSILON;
            sums.iter().all(|sum| sum.abs() <= rounding)
        })
    }

    /// The parts for S_W = `within` and the weights p_k of the classes.
    fn parts(&self, within: &Mat<f64>, weights: &[f64]) -> Option<MseParts> {
        let (dims, classes) = (self.means.dims(), weights.len());
        let rows = self.classifier.rows_of(self.means);
        let bias = |row: usize| self.classifier.bias()[self.means.present()[row] as usize];
        let given = Mat::from_fn(classes, dims + 1, |row, column| {
            if column < dims { rows[row * dims + column] } else { bias(row) }
        });
        // (mu_k; 1) by rows, and the same weighted.
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
