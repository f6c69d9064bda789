//! Class means and their centre.

use crate::{
    Error, Result, Scalar,
    error::check,
    linalg::{centered, mean_row, norm, power_of_two, scaled},
};

/// First pass over features: sums per class in f64, which adds half a billion f32 of similar magnitude without
/// rounding. 64-bit features are summed relative to the first sample, so that a common offset costs no precision.
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
    /// One row per class; empty before its first sample, because a file may declare more classes than it has samples.
    sums: Vec<Vec<f64>>,
    /// Reference point of the sums; empty before the first sample.
    origin: Vec<f64>,
    /// max |h_ij - origin_j|.
    largest: f64,
    /// Largest machine epsilon of the features' types.
    epsilon: f64,
}

impl ClassMeansAccumulator {
    /// An accumulator for `classes` classes (K) and features of dimension `dims` (P).
    pub fn new(classes: usize, dims: usize) -> Self {
        let (counts, sums) = (vec![0; classes], vec![vec![]; classes]);
        Self { classes, dims, counts, sums, origin: vec![], largest: 0.0, epsilon: 0.0 }
    }

    /// Adds features (N, P), row by row, with their labels.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, or a feature is not finite; then nothing is added.
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

    /// Computes the means.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if there are no samples, or the features have dimension 0.
    pub fn finish(self) -> Result<ClassMeans> {
        let samples: usize = self.counts.iter().sum();
        if self.dims == 0 {
            return Err(Error::Empty("features of dimension 0"));
        }
        if samples == 0 {
            return Err(Error::Empty("no samples"));
        }
        // No unit needed: squares of f32 neither overflow nor underflow in f64.
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
/// Classes without samples are excluded: K in every formula is the number of classes with samples, and per-class values
/// have one entry per class in [`present`](Self::present).
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_field_names, reason = "named after mu_C")]
pub struct ClassMeans {
    classes: usize,
    dims: usize,
    present: Vec<u32>,
    counts: Vec<usize>,
    means: Vec<f64>,
    mean_of_class_means: Vec<f64>,
    global_mean: Vec<f64>,
    // Metrics are computed from (h - origin) / unit, with unit a power of two, so that neither offset nor scale costs
    // precision. For f32 origin and unit are 0 and 1.
    origin: Vec<f64>,
    pub(crate) unit: f64,
    /// (mu_k - origin) / unit of each present class, row by row.
    pub(crate) offsets: Vec<f64>,
    /// (mu_C - origin) / unit.
    center: Vec<f64>,
    /// Largest distance, in units, by which rounding can separate equal means: the machine epsilon of the features'
    /// type times the largest ||mu_k||, or the rounding of the f64 sums if larger.
    pub(crate) rounding: f64,
}

impl ClassMeans {
    /// Means of features (N, P) in memory, with `classes` classes and P = `dims`.
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
    /// If lengths do not match, a label is not below K, a feature is not finite, or there are no samples.
    pub fn of<T: Scalar>(features: &[T], labels: &[u32], classes: usize, dims: usize) -> Result<Self> {
        let mut accumulator = ClassMeansAccumulator::new(classes, dims);
        accumulator.update(features, labels)?;
        accumulator.finish()
    }

    /// Number of classes K, including those without samples.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Feature dimension P.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Classes with samples, ascending.
    pub fn present(&self) -> &[u32] {
        &self.present
    }

    /// Sample count n_k of each present class.
    pub fn counts(&self) -> &[usize] {
        &self.counts
    }

    /// mu_k of each present class, row by row.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// mu_C, the mean of the means of the present classes. Under imbalance it differs from the mean over samples; the
    /// centred means m_k = mu_k - mu_C always use mu_C.
    pub fn mean_of_class_means(&self) -> &[f64] {
        &self.mean_of_class_means
    }

    /// Mean over samples.
    pub fn global_mean(&self) -> &[f64] {
        &self.global_mean
    }

    /// m_k = mu_k - mu_C of each present class, row by row.
    ///
    /// A mean within rounding of mu_C becomes exactly zero, because it has no direction. Rounding is the machine
    /// epsilon of the features' type (f32 for features stored in 32 bits) times the largest ||mu_k||.
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

    /// h - mu_k in units, for the class with this row.
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

    /// Row of each of the K classes among the present ones.
    pub(crate) fn rows(&self) -> Vec<Option<usize>> {
        let mut rows = vec![None; self.classes];
        for (row, &class) in self.present.iter().enumerate() {
            rows[class as usize] = Some(row);
        }
        rows
    }
}
