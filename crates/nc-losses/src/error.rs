use candle_core::DType;

/// Why a loss could not be computed.
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
        /// Shape that fits the other arguments.
        expected: String,
        /// Shape that was passed.
        found: Vec<usize>,
    },
    /// Counts of training samples that are not of the logits' classes.
    #[error("counts: expected one for each of {classes} classes, found {found}")]
    Counts {
        /// Classes of the logits.
        classes: usize,
        /// Counts that were passed.
        found: usize,
    },
    /// An argument has the wrong element type.
    #[error("{argument}: expected dtype {expected}, found {found:?}")]
    DType {
        /// Name of the argument.
        argument: &'static str,
        /// Element types that would do.
        expected: String,
        /// Element type that was passed.
        found: DType,
    },
    /// A label names a class that does not exist.
    #[error("labels: expected classes below {num_classes}, found {found} at position {position}")]
    Label {
        /// Number of classes K.
        num_classes: usize,
        /// Label that was passed.
        found: u32,
        /// Index of the sample that carries it.
        position: usize,
    },
    /// A number lies outside the range in which the loss is defined.
    #[error("{argument}: expected {expected}, found {found}")]
    Range {
        /// Name of the argument.
        argument: &'static str,
        /// Numbers that would do, as in "a number in [0, 1]".
        expected: &'static str,
        /// Number that was passed.
        found: f64,
    },
    /// Candle refused an operation, for example on tensors of two devices.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// Result of this crate's functions.
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests;
