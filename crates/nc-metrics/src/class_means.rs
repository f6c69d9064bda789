//! Class means and the point they are centred about.

use crate::{
    Error, Result, Scalar,
    error::check,
    linalg::{centered, mean_row, norm, power_of_two, scaled},
};

/// First pass over features: sums by class in f64, which adds half a billion f32 of similar size without rounding.
/// 64-bit features are summed relative to the first sample, so that a common offset costs no digits.
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
    /// The point that features are summed relative to; empty before the first sample.
    origin: Vec<f64>,
    /// max |h_ij - origin_j|.
    largest: f64,
    /// The largest machine epsilon of the features.
    epsilon: f64,
}

impl ClassMeansAccumulator {
    /// For `classes` classes (K) and features of `dims` dimensions (P).
    pub fn new(classes: usize, dims: usize) -> Self {
        let (counts, sums) = (vec![0; classes], vec![vec![]; classes]);
        Self { classes, dims, counts, sums, origin: vec![], largest: 0.0, epsilon: 0.0 }
    }

    /// Takes in features (N, P), row after row, and their labels.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit, a label is not below K, or a feature is not finite; then nothing is taken in.
    pub fn update<T: Scalar>(&mut self, features: &[T], labels: &[u32]) -> Result<()> {
        let seen = self.counts.iter().sum();
        check("features", features, self.dims, labels, self.classes, seen)?;
        self.epsilon = self.epsilon.max(T::EPSILON);
        if self.origin.is_empty() {
            let narrow = T::EPSILON > f64::EPSILON;
            self.origin =
                features.iter().take(self.dims).map(|&x| if narrow { 0.0 } else { x.into() }).collect();
        }
        for (feature, &label) in features.chunks_exact(self.dims.max(1)).zip(labels) {
            let class = label as usize;
            self.counts[class] += 1;
            let sums = &mut self.sums[class];
            sums.resize(self.dims, 0.0);
            for ((sum, &x), origin) in sums.iter_mut().zip(feature).zip(&self.origin) {
                let x = x.into() - origin;
                *sum += x;
                self.largest = self.largest.max(x.abs());
            }
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
        // Squares of f32 neither overflow nor underflow in f64.
        let unit = if self.epsilon > f64::EPSILON { 1.0 } else { power_of_two(self.largest) };
        let (mut present, mut counts, mut offsets) = (vec![], vec![], vec![]);
        let mut global_mean = vec![0.0; self.dims];
        for (class, (sums, &count)) in self.sums.iter().zip(&self.counts).enumerate() {
            if count > 0 {
                present.push(class as u32);
                counts.push(count);
                offsets.extend(sums.iter().map(|sum| sum / unit / count as f64));
                global_mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum / unit / samples as f64);
            }
        }
        let center = mean_row(&offsets, self.dims);
        let absolute = |offsets: &[f64]| -> Vec<f64> {
            let origin = self.origin.iter().cycle();
            offsets.iter().zip(origin).map(|(offset, origin)| origin + offset * unit).collect()
        };
        let means = absolute(&offsets);
        let largest = |rows: &[f64]| rows.chunks_exact(self.dims).map(norm).fold(0.0, f64::max);
        let stored = self.epsilon * largest(&scaled(&means, unit));
        let summed = 4.0 * present.len() as f64 * f64::EPSILON * largest(&offsets);
        Ok(ClassMeans {
            classes: self.classes,
            dims: self.dims,
            present,
            counts,
            means,
            mean_of_class_means: absolute(&center),
            global_mean: absolute(&global_mean),
            rounding: stored.max(summed),
            origin: self.origin,
            unit,
            offsets,
            center,
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
    // Figures are computed from (h - origin) / unit, a power of two: neither an offset nor the scale costs digits. For
    // f32 origin and unit are 0 and 1.
    origin: Vec<f64>,
    pub(crate) unit: f64,
    /// (mu_k - origin) / unit of each present class, row after row.
    pub(crate) offsets: Vec<f64>,
    /// (mu_C - origin) / unit.
    center: Vec<f64>,
    /// The largest distance, in units, that rounding can make between equal means: the machine epsilon of the features'
    /// type times the largest ||mu_k||, or the rounding of sums in f64 if that is larger.
    pub(crate) rounding: f64,
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
    pub fn of<T: Scalar>(features: &[T], labels: &[u32], classes: usize, dims: usize) -> Result<Self> {
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

    /// m_k = mu_k - mu_C of each present class, row after row.
    ///
    /// A mean within rounding of mu_C becomes exactly zero, because it has no direction: within the machine epsilon of the
    /// features' type (that of f32 for features stored in 32 bits) times the largest ||mu_k||.
    pub fn centered(&self) -> Vec<f64> {
        self.centered_units().into_iter().map(|x| x * self.unit).collect()
    }

    /// [`centered`](Self::centered) in units.
    pub(crate) fn centered_units(&self) -> Vec<f64> {
        let mut rows = centered(&self.offsets, &self.center);
        let rounded = rows.chunks_exact_mut(self.dims).filter(|row| norm(row) <= self.rounding);
        rounded.for_each(|row| row.fill(0.0));
        rows
    }

    /// h - mu_k in units, for the class in this row.
    pub(crate) fn deviation<T: Scalar>(&self, feature: &[T], row: usize) -> impl Iterator<Item = f64> {
        self.relative_to(&self.offsets[row * self.dims..][..self.dims], feature)
    }

    /// h - mu_C in units.
    pub(crate) fn centered_sample<T: Scalar>(&self, feature: &[T]) -> impl Iterator<Item = f64> {
        self.relative_to(&self.center, feature)
    }

    /// (h - origin) / unit.
    pub(crate) fn in_units<T: Scalar>(&self, feature: &[T]) -> impl Iterator<Item = f64> {
        let scale = self.unit.recip();
        feature.iter().zip(&self.origin).map(move |(&x, origin)| (x.into() - origin) * scale)
    }

    fn relative_to<T: Scalar>(&self, offset: &[f64], feature: &[T]) -> impl Iterator<Item = f64> {
        self.in_units(feature).zip(offset).map(|(x, offset)| x - offset)
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
