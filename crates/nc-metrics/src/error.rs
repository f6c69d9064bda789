/// What can go wrong with a measurement.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice of the wrong length.
    #[error("{argument}: expected {expected} values, found {found}")]
    Length {
        /// The argument.
        argument: &'static str,
        /// The expected number of values.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// A classifier that does not belong to the features.
    #[error(
        "classifier: expected (classes, dimensions) = {expected:?} as the class means have, found {found:?}"
    )]
    ClassifierShape {
        /// (K, P) of the class means.
        expected: (usize, usize),
        /// (K, P) of the classifier.
        found: (usize, usize),
    },
    /// A label without a class.
    #[error("{argument}: expected classes below {classes}, found {label} at sample {sample}")]
    Label {
        /// The argument.
        argument: &'static str,
        /// The sample, counted from the first given.
        sample: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A value that is NaN, infinite or above 1e280, where sums overflow.
    #[error("{argument}: expected finite values up to {LARGEST:e}, found {value:e} in row {row}")]
    NotFinite {
        /// The argument.
        argument: &'static str,
        /// The row (for features and logits the sample), counted from the first given.
        row: usize,
        /// The first such value.
        value: f64,
    },
    /// Nothing to measure.
    #[error("there is nothing to measure: {0}")]
    Empty(&'static str),
}

/// Sums of 1e28 values up to here are finite.
const LARGEST: f64 = 1e280;

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Checks that `values` are rows of `width` finite values, one for each of `labels`, which are below `classes`.
/// `seen` samples were given before.
pub(crate) fn check<T: Copy + Into<f64>>(
    argument: &'static str,
    values: &[T],
    width: usize,
    labels: &[u32],
    classes: usize,
    seen: usize,
) -> Result<()> {
    check_length(argument, values, labels.len() * width)?;
    check_labels("labels", labels, classes, seen)?;
    check_finite(argument, values, width, seen)
}

/// Checks that labels, the first of which is of sample `seen`, are below `classes`.
pub(crate) fn check_labels(
    argument: &'static str,
    labels: &[u32],
    classes: usize,
    seen: usize,
) -> Result<()> {
    match labels.iter().position(|&label| label as usize >= classes) {
        Some(index) => Err(Error::Label { argument, sample: seen + index, label: labels[index], classes }),
        None => Ok(()),
    }
}

/// Checks that there are `expected` values.
pub(crate) fn check_length<T>(argument: &'static str, values: &[T], expected: usize) -> Result<()> {
    let found = values.len();
    if found == expected { Ok(()) } else { Err(Error::Length { argument, expected, found }) }
}

/// Checks that `values` are whole rows of `width` finite values.
pub(crate) fn check_rows<T: Copy + Into<f64>>(
    argument: &'static str,
    values: &[T],
    width: usize,
) -> Result<()> {
    if width == 0 {
        return Err(Error::Empty("rows of no values"));
    }
    check_length(argument, values, values.len().next_multiple_of(width))?;
    check_finite(argument, values, width, 0)
}

/// Checks that rows of `width` values, the first of which is row `seen`, are finite.
pub(crate) fn check_finite<T: Copy + Into<f64>>(
    argument: &'static str,
    values: &[T],
    width: usize,
    seen: usize,
) -> Result<()> {
    let widened = values.iter().map(|&value| value.into());
    match widened.enumerate().find(|(_, value): &(usize, f64)| value.is_nan() || value.abs() > LARGEST) {
        Some((index, value)) => Err(Error::NotFinite { argument, row: seen + index / width.max(1), value }),
        None => Ok(()),
    }
}
