//! Class means and the point they are centred about.

use crate::{
    Error, Result,
    error::check,
    linalg::{centered, mean_row, norm},
};

/// First pass over features: sums by class, in f64 (which adds half a billion f32 of like size without rounding).
///
/// ```
/// let mut accumulator = nc_metrics::ClassMeansAccumulator::new(2, 1);
/// accumulator.update(&[1.0, 5.0], &[0, 1])?; // pieces of any size
/// accumulator.update(&[3.0], &[0])?;
/// assert_eq!(accumulator.finish()?.means(), [2.0, 5.0]);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct ClassMeansAccumulator {
    classes: usize,
    dims: usize,
    counts: Vec<usize>,
    /// A row for each class; empty before its first sample, since a file may name more classes than it has samples.
    sums: Vec<Vec<f64>>,
}

impl ClassMeansAccumulator {
    /// For `classes` classes (K) and features of `dims` dimensions (P).
    pub fn new(classes: usize, dims: usize) -> Self {
        Self { classes, dims, counts: vec![0; classes], sums: vec![vec![]; classes] }
    }

    /// Takes in features (N, P), row after row, and their labels.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, or a feature is not finite; then nothing is taken in.
    pub fn update(&mut self, features: &[f32], labels: &[u32]) -> Result<()> {
        let seen = self.counts.iter().sum();
        check("features", features, self.dims, labels, self.classes, seen)?;
        for (feature, &label) in features.chunks_exact(self.dims.max(1)).zip(labels) {
            let class = label as usize;
            self.counts[class] += 1;
            let sums = &mut self.sums[class];
            sums.resize(self.dims, 0.0);
            sums.iter_mut().zip(feature).for_each(|(sum, &x)| *sum += f64::from(x));
        }
        Ok(())
    }

    /// The means.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if no sample was taken in, or features have no dimensions.
    pub fn finish(self) -> Result<ClassMeans> {
        let samples: usize = self.counts.iter().sum();
        if self.dims == 0 {
            return Err(Error::Empty("features of no dimensions"));
        }
        if samples == 0 {
            return Err(Error::Empty("no samples"));
        }
        let (mut present, mut counts, mut means) = (vec![], vec![], vec![]);
        let mut global_mean = vec![0.0; self.dims];
        for (class, (sums, &count)) in self.sums.iter().zip(&self.counts).enumerate() {
            if count > 0 {
                present.push(class as u32);
                counts.push(count);
                means.extend(sums.iter().map(|sum| sum / count as f64));
                global_mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / samples as f64);
            }
        }
        let mean_of_class_means = mean_row(&means, self.dims);
        Ok(ClassMeans {
            classes: self.classes,
            dims: self.dims,
            present,
            counts,
            means,
            mean_of_class_means,
            global_mean,
        })
    }
}

/// Class means mu_k = (1/n_k) sum_{y_i = k} h_i and their mean mu_C = (1/K) sum_k mu_k.
///
/// Classes without samples are left out: K in every formula counts the classes with samples, and what is given by
/// class has one entry for each class in [`present`](Self::present).
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "the field's name of mu_C")]
pub struct ClassMeans {
    classes: usize,
    dims: usize,
    present: Vec<u32>,
    counts: Vec<usize>,
    means: Vec<f64>,
    mean_of_class_means: Vec<f64>,
    global_mean: Vec<f64>,
}

impl ClassMeans {
    /// Means of features (N, P) in memory, of `classes` classes and P = `dims`.
    ///
    /// ```
    /// let means = nc_metrics::ClassMeans::of(&[0.0, 2.0, 6.0], &[0, 0, 2], 3, 1)?;
    /// assert_eq!(means.present(), [0, 2]);
    /// assert_eq!(means.means(), [1.0, 6.0]);
    /// assert_eq!(means.mean_of_class_means(), [3.5]);
    /// assert_eq!(means.global_mean(), [8.0 / 3.0]);
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, a feature is not finite, or there is no sample.
    pub fn of(features: &[f32], labels: &[u32], classes: usize, dims: usize) -> Result<Self> {
        let mut accumulator = ClassMeansAccumulator::new(classes, dims);
        accumulator.update(features, labels)?;
        accumulator.finish()
    }

    /// Number of classes K, those without samples included.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Feature dimension P.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// The classes with samples, ascending.
    pub fn present(&self) -> &[u32] {
        &self.present
    }

    /// Samples n_k of each present class.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// mu_k of each present class, row after row.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// mu_C, the mean over present classes of their means. Under imbalance this is not the mean over samples; centred
    /// means m_k = mu_k - mu_C are always about mu_C.
    pub fn mean_of_class_means(&self) -> &[f64] {
        &self.mean_of_class_means
    }

    /// The mean over samples.
    pub fn global_mean(&self) -> &[f64] {
        &self.global_mean
    }

    /// m_k = mu_k - mu_C of each present class, row after row. A mean that differs from mu_C by rounding alone becomes
    /// exactly zero: it has no direction.
    pub fn centered(&self) -> Vec<f64> {
        let mut rows = centered(&self.means, &self.mean_of_class_means);
        let rounding = self.rounding();
        rows.chunks_exact_mut(self.dims).filter(|row| norm(row) <= rounding).for_each(|row| row.fill(0.0));
        rows
    }

    /// The largest distance that rounding can make between equal means: 4 K times the machine epsilon of the largest
    /// norm.
    pub(crate) fn rounding(&self) -> f64 {
        let largest = self.means.chunks_exact(self.dims).map(norm).fold(0.0, f64::max);
        4.0 * self.present.len() as f64 * f64::EPSILON * largest
    }

    /// For each of the K classes, its row among the present ones.
    pub(crate) fn rows(&self) -> Vec<Option<usize>> {
        let mut rows = vec![None; self.classes];
        for (row, &class) in self.present.iter().enumerate() {
            rows[class as usize] = Some(row);
        }
        rows
    }
}
