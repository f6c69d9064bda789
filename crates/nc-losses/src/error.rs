use candle_core::DType;

/// Error of a loss function.
///
/// A message names the argument, what was expected and what was found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument has the wrong number or size of dimensions.
    #[error("{argument}: expected shape {expected}, found {found:?}")]
    Shape {
        /// Name of the argument.
        argument: &'static str,
        /// Shape consistent with the other arguments.
        expected: String,
        /// Shape found.
        found: Vec<usize>,
    },
    /// The number of class counts differs from the number of classes.
    #[error("counts: expected one for each of {classes} classes, found {found}")]
    Counts {
        /// Number of classes in the logits.
        classes: usize,
        /// Number of counts found.
        found: usize,
    },
    /// An argument has the wrong dtype.
    #[error("{argument}: expected dtype {expected}, found {found:?}")]
    DType {
        /// Name of the argument.
        argument: &'static str,
        /// Accepted dtypes.
        expected: String,
        /// Dtype found.
        found: DType,
    },
    /// A label is out of range.
    #[error("labels: expected classes below {num_classes}, found {found} at position {position}")]
    Label {
        /// Number of classes K.
        num_classes: usize,
        /// Label found.
        found: u32,
        /// Index of its sample.
        position: usize,
    },
    /// A number is outside the range in which the loss is defined.
    #[error("{argument}: expected {expected}, found {found}")]
    Range {
        /// Name of the argument.
        argument: &'static str,
        /// Accepted range, as in "a number in [0, 1]".
        expected: &'static str,
        /// Number found.
        found: f64,
    },
    /// An error of Candle, for example from tensors on different devices.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests;
