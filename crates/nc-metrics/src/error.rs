/// What can go wrong with a measurement.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A slice of the wrong length.
    #[error("{argument} should hold {expected} values, found {found}")]
    Length {
        /// The argument.
        argument: &'static str,
        /// The expected number of values.
        expected: usize,
        /// The number found.
        found: usize,
    },
    /// A label without a class.
    #[error("sample {sample} has label {label}, but there are {classes} classes")]
    Label {
        /// The sample, counted from the first given.
        sample: usize,
        /// Its label.
        label: u32,
        /// Number of classes.
        classes: usize,
    },
    /// A value that is NaN or infinite.
    #[error("{argument} of sample {sample} are not all finite")]
    NotFinite {
        /// The argument.
        argument: &'static str,
        /// The sample (or row), counted from the first given.
        sample: usize,
    },
    /// Nothing to measure.
    #[error("there is nothing to measure: {0}")]
    Empty(&'static str),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Checks that `values` are rows of `width` finite values, one for each of `labels`, which are below `classes`.
/// `seen` samples were given before.
pub(crate) fn check(
    argument: &'static str,
    values: &[f32],
    width: usize,
    labels: &[u32],
    classes: usize,
    seen: usize,
) -> Result<()> {
    let expected = labels.len() * width;
    if values.len() != expected {
        return Err(Error::Length { argument, expected, found: values.len() });
    }
    if let Some(index) = labels.iter().position(|&label| label as usize >= classes) {
        return Err(Error::Label { sample: seen + index, label: labels[index], classes });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NotFinite { argument, sample: seen + index / width }),
        None => Ok(()),
    }
}
