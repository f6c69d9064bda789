/// Error of a measurement.
#[derive(Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice has the wrong length.
    #[error("{argument}: expected {expected} values, found {found}")]
    Length {
        /// Name of the argument.
        argument: &'static str,
        /// Expected number of values.
        expected: usize,
        /// Number of values found.
        found: usize,
    },
    /// The classifier's shape does not match the class means.
    #[error(
        "classifier: expected (classes, dimensions) = {expected:?} like the class means, found {found:?}"
    )]
    ClassifierShape {
        /// (K, P) of the class means.
        expected: (usize, usize),
        /// (K, P) of the classifier.
        found: (usize, usize),
    },
    /// A label is out of range.
    #[error("{argument}: expected classes below {classes}, found {label} at sample {sample}")]
    Label {
        /// Name of the argument.
        argument: &'static str,
        /// Index of the sample, counted from the first one added.
        sample: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A value is NaN, infinite or above 1e280, where sums overflow.
    #[error("{argument}: expected finite values up to {LARGEST:e}, found {value:e} in row {row}")]
    NotFinite {
        /// Name of the argument.
        argument: &'static str,
        /// Row of the value (for features and logits, the sample), counted from the first one added.
        row: usize,
        /// First invalid value.
        value: f64,
    },
    /// There is no data to measure.
    #[error("nothing to measure: {0}")]
    Empty(&'static str),
}

/// Largest accepted magnitude: sums of 1e28 such values are finite.
const LARGEST: f64 = 1e280;

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Checks that `values` are rows of `width` finite values, one row per label, and that labels are below `classes`.
/// `seen` samples were added before.
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

/// Checks that labels are below `classes`; the first one belongs to sample `seen`.
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

/// Checks the number of values.
pub(crate) fn check_length<T>(argument: &'static str, values: &[T], expected: usize) -> Result<()> {
    let found = values.len();
    if found == expected { Ok(()) } else { Err(Error::Length { argument, expected, found }) }
}

/// Checks that `values` form complete rows of `width` finite values.
pub(crate) fn check_rows<T: Copy + Into<f64>>(
    argument: &'static str,
    values: &[T],
    width: usize,
) -> Result<()> {
    if width == 0 {
        return Err(Error::Empty("rows of width 0"));
    }
    check_length(argument, values, values.len().next_multiple_of(width))?;
    check_finite(argument, values, width, 0)
}

/// Checks that rows of `width` values are finite; the first one is row `seen`.
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
