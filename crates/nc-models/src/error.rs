/// What can go wrong with a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A ResNet depth that is not 6n + 2.
    #[error("a CIFAR ResNet has depth 6n + 2 (20, 32, 44, 56, ...), not {0}")]
    Depth(usize),
    /// A ResNet without channels.
    #[error("a ResNet's width is a factor on its channels: at least 1, not 0")]
    Width,
    /// A simplex ETF of so many classes does not exist in so few dimensions.
    #[error(
        "a simplex ETF of {classes} classes needs at least {} feature dimensions, the backbone has {features}: \
         choose a wider backbone or another head",
        classes - 1
    )]
    EtfDimension {
        /// Number of classes K.
        classes: usize,
        /// Feature dimension P.
        features: usize,
    },
    /// A head for too few classes.
    #[error("too few classes for this head: expected at least {least}, found {found}")]
    Classes {
        /// The fewest classes this head can have.
        least: usize,
        /// The number asked for.
        found: usize,
    },
    /// Something that only a linear head can do.
    #[error("only a linear head, z = W h + b, can be scaled or given a classifier, and this one is {head:?}")]
    NotLinear {
        /// The kind of the head.
        head: &'static str,
    },
    /// A head that does not learn, where a classifier was to be retrained.
    #[error("the {head} head is fixed; it cannot be retrained")]
    FixedHead {
        /// The kind of the head.
        head: &'static str,
    },
    /// Another number of views of the images than the network has inputs.
    #[error("expected images of {expected} views, found {found}")]
    Views {
        /// The network's.
        expected: usize,
        /// Those given.
        found: usize,
    },
    /// A training batch too small for batch norm of the features.
    #[error("batch norm of the features needs batches of at least {least} images, found one of {found}")]
    BatchTooSmall {
        /// The fewest images.
        least: usize,
        /// Those of the batch.
        found: usize,
    },
    /// Weights that do not fit the model.
    #[error("the weights do not fit the model: {0}")]
    Weights(String),
    /// A parameter of a backbone under a name that another part of the model needs.
    #[error("the name of parameter {0:?} is another part's of the model: call it something else")]
    NameTaken(String),
    /// A parameter that does not exist.
    #[error("the model has no parameter named {0:?}")]
    UnknownParameter(String),
    /// A file of weights that cannot be read.
    #[error("not a safetensors file: {0}")]
    Safetensors(#[from] safetensors::SafeTensorError),
    /// A tensor operation failed.
    #[error(transparent)]
    Candle(#[from] candle_core::Error),
}

/// A result with this crate's [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

#[cfg(test)]
mod tests;
