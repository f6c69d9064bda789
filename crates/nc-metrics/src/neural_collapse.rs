//! NC1 to NC4 in one report.

use serde::{Deserialize, Serialize};

use crate::{
    ClassMeans, Classifier, Directions, Error, MinorityCollapse, MseAccumulator, MseDecomposition, Nc1, Nc3,
    Nc4, NearestMeanAccumulator, OrthogonalFrame, Result, Scalar, Seli, SeliTargets, WithinAccumulator,
    error::check_length,
    etf_angle_degrees, etf_exists, largest_min_angle_degrees,
    linalg::{matrix, norm, scaled, unit_of},
};

/// NC1 to NC4 of features and, if given, their classifier.
///
/// Serialised, field names joined by dots are the metric names: `nc1.trace.sample_weighted`,
/// `nc2.centered_means.coherence`, `nc3.duality_gap_squared`, `nc4.mismatch`, ... Undefined metrics are null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NeuralCollapse {
    /// Number of samples.
    pub samples: usize,
    /// Feature dimension P.
    pub dims: usize,
    /// Classes with a mean, ascending; per-class metrics have one entry for each, and K in the formulas is their
    /// number.
    pub classes: Vec<u32>,
    /// Classes without samples, and so without a mean; excluded from all metrics.
    pub absent_classes: Vec<u32>,
    /// True if a simplex ETF of K classes exists in P dimensions: K - 1 <= P. Otherwise the NC2 metrics cannot reach
    /// their ideal values.
    pub etf_exists: bool,
    /// arccos(-1/(K-1)) in degrees: the pairwise angle of a simplex ETF. None for a single class.
    pub etf_angle_degrees: Option<f64>,
    /// Largest attainable `min_angle_degrees` in P dimensions: the ETF's angle if it exists, else 90 degrees for up to
    /// 2P classes; see [`largest_min_angle_degrees`].
    pub largest_min_angle_degrees: Option<f64>,
    /// Within-class variability.
    pub nc1: Nc1,
    /// Norms and angles.
    pub nc2: Nc2,
    /// Self-duality; None without a classifier.
    pub nc3: Option<Nc3>,
    /// Agreement with the nearest class mean; None without a classifier.
    pub nc4: Option<Nc4>,
    /// ||W mu_C + b||, the norm of the logits at the mean of the class means; 0 if the bias cancels W mu_C, as at
    /// collapse with a bias (Zhu et al. 2021). None without a classifier.
    pub mean_output_norm: Option<f64>,
    /// Minority collapse: coinciding vectors of small classes.
    #[serde(default)]
    pub minority: Minority,
    /// Distance to the geometry expected under imbalanced training; None if a class has no training samples.
    pub seli: Option<Seli>,
    /// Distance to the geometry of non-negative features; None under the same condition as `seli`.
    pub orthogonal_frame: Option<OrthogonalFrame>,
    /// Decomposition of the classifier's squared error; None without a classifier, or about means of other features.
    pub mse: Option<MseDecomposition>,
}

/// [`MinorityCollapse`] of class means and classifier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Minority {
    /// Minority collapse of m_k = mu_k - mu_C.
    pub centered_means: MinorityCollapse,
    /// Minority collapse of the classifier rows w_k, not centred; None without a classifier.
    pub weights: Option<MinorityCollapse>,
}

/// NC2 of class means and classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nc2 {
    /// NC2 of m_k = mu_k - mu_C.
    pub centered_means: Directions,
    /// NC2 of the classifier rows w_k for the same classes, not centred; None without a classifier.
    pub weights: Option<Directions>,
}

impl NeuralCollapse {
    /// Metrics of features (N, P), row by row, with K = `classes` and P = `dims`. The features also serve as the
    /// training samples of their classes.
    ///
    /// ```
    /// use nc_metrics::{Classifier, NeuralCollapse};
    ///
    /// // Two classes, collapsed to opposite points, with an aligned classifier.
    /// let features = [1.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0];
    /// let classifier = Classifier::new(&[2.0, 0.0, -2.0, 0.0], None, 2, 2)?;
    /// let nc = NeuralCollapse::of(&features, &[0, 0, 1, 1], 2, 2, Some(&classifier))?;
    /// assert_eq!(nc.nc1.trace.sample_weighted, Some(0.0));
    /// assert_eq!(nc.nc2.centered_means.min_angle_degrees, nc.etf_angle_degrees); // 180
    /// assert_eq!(nc.nc3.unwrap().duality_gap_squared, Some(0.0));
    /// assert_eq!(nc.nc4.unwrap().mismatch, Some(0.0));
    /// # Ok::<(), nc_metrics::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, a feature is not finite, the classifier has another shape, or
    /// there are no samples.
    pub fn of<T: Scalar>(
        features: &[T],
        labels: &[u32],
        classes: usize,
        dims: usize,
        classifier: Option<&Classifier>,
    ) -> Result<Self> {
        let means = ClassMeans::of(features, labels, classes, dims)?;
        let mut second_pass = NeuralCollapseAccumulator::new(&means, classifier)?;
        second_pass.update(features, labels)?;
        second_pass.finish()
    }
}

/// Second pass over features: [`NeuralCollapse`] about the class means of the first pass, which may come from other
/// features: test features about training means show whether the collapse generalises.
///
/// ```
/// use nc_metrics::{ClassMeansAccumulator, NeuralCollapse, NeuralCollapseAccumulator};
///
/// let pieces: [(&[f32], &[u32]); 2] = [(&[0.0, 2.0], &[0, 0]), (&[10.0], &[1])];
/// let mut first_pass = ClassMeansAccumulator::new(2, 1);
/// for (features, labels) in pieces {
///     first_pass.update(features, labels)?;
/// }
/// let means = first_pass.finish()?;
/// let mut second_pass = NeuralCollapseAccumulator::new(&means, None)?;
/// for (features, labels) in pieces {
///     second_pass.update(features, labels)?;
/// }
/// assert_eq!(second_pass.finish()?, NeuralCollapse::of(&[0.0, 2.0, 10.0], &[0, 0, 1], 2, 1, None)?);
/// # Ok::<(), nc_metrics::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct NeuralCollapseAccumulator<'a> {
    means: &'a ClassMeans,
    classifier: Option<&'a Classifier>,
    within: WithinAccumulator<'a>,
    nearest: Option<NearestMeanAccumulator<'a>>,
    mse: Option<MseAccumulator<'a>>,
    training_counts: Vec<usize>,
}

impl<'a> NeuralCollapseAccumulator<'a> {
    /// An accumulator about `means`; without a classifier, NC3 and NC4 are omitted.
    ///
    /// # Errors
    ///
    /// [`Error::ClassifierShape`] if the classifier's (K, P) differ from those of the means.
    pub fn new(means: &'a ClassMeans, classifier: Option<&'a Classifier>) -> Result<Self> {
        classifier.map_or(Ok(()), |classifier| classifier.check_fits(means))?;
        let count = |row: Option<usize>| row.map_or(0, |row| means.counts()[row]);
        Ok(Self {
            training_counts: means.rows().into_iter().map(count).collect(),
            mse: classifier.map(|classifier| MseAccumulator::new(means, classifier, MseAccumulator::RIDGE)),
            means,
            classifier,
            within: WithinAccumulator::new(means),
            nearest: classifier.map(|classifier| NearestMeanAccumulator::new(means, classifier)),
        })
    }

    /// Sets the training samples per class (K), if they differ from the counts behind the means. They determine the
    /// shot groups of NC4, the thirds of [`Minority`] and the targets of [`Seli`] and [`OrthogonalFrame`].
    ///
    /// # Errors
    ///
    /// If `training_counts` does not have K entries.
    pub fn with_training_counts(mut self, training_counts: &[usize]) -> Result<Self> {
        check_length("training_counts", training_counts, self.means.classes())?;
        self.training_counts = training_counts.to_vec();
        Ok(self)
    }

    /// Adds features (N, P) with their labels. NC1 skips samples of classes without a mean.
    ///
    /// # Errors
    ///
    /// If lengths do not match, a label is not below K, or a feature is not finite; then nothing is added.
    pub fn update<T: Scalar>(&mut self, features: &[T], labels: &[u32]) -> Result<()> {
        self.within.update(features, labels)?;
        self.mse.as_mut().map_or(Ok(()), |mse| mse.update(features, labels))?;
        self.nearest.as_mut().map_or(Ok(()), |nearest| nearest.update(features, labels))
    }

    /// Computes the metrics.
    ///
    /// # Errors
    ///
    /// [`Error::Empty`] if there are no samples of classes with a mean.
    pub fn finish(self) -> Result<NeuralCollapse> {
        let (means, dims) = (self.means, self.means.dims());
        let samples = self.within.samples();
        if samples == 0 {
            return Err(Error::Empty("no samples of classes with a mean"));
        }
        let centered = means.centered_units();
        let weights = self.classifier.map(|classifier| classifier.rows_of(means));
        let in_units = |rows: &[f64]| scaled(rows, unit_of(rows));
        let (unit_means, unit_weights) = (in_units(means.means()), weights.as_deref().map(in_units));
        let classes = means.present().len();
        let absent = means.rows().into_iter().enumerate().filter(|(_, row)| row.is_none());
        let counts: Vec<usize> =
            means.present().iter().map(|&class| self.training_counts[class as usize]).collect();
        let (mean_rows, weight_rows) =
            (matrix(&unit_means, dims), unit_weights.as_ref().map(|rows| matrix(rows, dims)));
        let mean_output = |classifier: &Classifier| norm(&classifier.logits(means.mean_of_class_means()));
        let minority = |rows: &[f64]| MinorityCollapse::of(rows, &counts, dims);
        let targets = SeliTargets::new(&counts);
        Ok(NeuralCollapse {
            samples,
            dims,
            classes: means.present().to_vec(),
            absent_classes: absent.map(|(class, _)| class as u32).collect(),
            etf_exists: etf_exists(classes, dims),
            etf_angle_degrees: etf_angle_degrees(classes),
            largest_min_angle_degrees: largest_min_angle_degrees(classes, dims),
            nc1: self.within.finish(),
            nc2: Nc2 {
                centered_means: Directions::of_units(&centered, dims, means.unit, means.rounding),
                weights: weights.as_ref().map(|rows| Directions::of(rows, dims)).transpose()?,
            },
            nc3: weights.as_ref().map(|rows| Nc3::of(rows, &centered, dims)).transpose()?,
            nc4: self.nearest.map(|nearest| nearest.finish(&self.training_counts)).transpose()?,
            mean_output_norm: self.classifier.map(mean_output).filter(|norm| norm.is_finite()),
            minority: Minority {
                centered_means: minority(&centered)?,
                weights: unit_weights.as_ref().map(|rows| minority(rows)).transpose()?,
            },
            seli: targets.as_ref().map(|targets| targets.compare(mean_rows, weight_rows)),
            orthogonal_frame: targets.map(|_| OrthogonalFrame::of(mean_rows, weight_rows, &counts)),
            mse: self.mse.and_then(MseAccumulator::finish),
        })
    }
}
