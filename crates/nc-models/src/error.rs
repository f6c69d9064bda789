/// Errors of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A ResNet depth that is not 6n + 2.
    #[error("expected a CIFAR ResNet depth of 6n + 2 (20, 32, 44, 56, ...), found {0}")]
    Depth(usize),
    /// A ResNet of width 0.
    #[error("expected a ResNet width factor of at least 1, found 0")]
    Width,
    /// A ResNet with too few stages.
    #[error("expected a ResNet of at least {expected} stages, found {found}")]
    Stages {
        /// Required number.
        expected: usize,
        /// Number of the network.
        found: usize,
    },
    /// A simplex ETF with more classes than the feature dimension allows.
    #[error(
        "a simplex ETF of {classes} classes needs at least {} feature dimensions, but the backbone has {features}; \
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
    #[error("expected at least {least} classes for this head, found {found}")]
    Classes {
        /// Minimum number of classes of the head.
        least: usize,
        /// Number of classes given.
        found: usize,
    },
    /// An operation that requires a linear head.
    #[error("only a linear head can be scaled or replaced, found head {head:?}")]
    NotLinear {
        /// The kind of the head.
        head: &'static str,
    },
    /// Logit factors for a network of several experts.
    #[error("cannot scale the logits of a network with a classifier for each of {found} experts")]
    SeveralHeads {
        /// Number of experts.
        found: usize,
    },
    /// A network of no experts.
    #[error("expected at least one expert, found 0")]
    NoExperts,
    /// Retraining of a fixed head.
    #[error("the {head} head is fixed; it cannot be retrained")]
    FixedHead {
        /// The kind of the head.
        head: &'static str,
    },
    /// A number of views that does not match the inputs of the network.
    #[error("expected images of {expected} views, found {found}")]
    Views {
        /// Number of inputs of the network.
        expected: usize,
        /// Number of views given.
        found: usize,
    },
    /// A training batch too small for batch norm of the features.
    #[error("expected at least {least} images per batch for batch norm of the features, found {found}")]
    BatchTooSmall {
        /// Minimum batch size.
        least: usize,
        /// Size of the batch.
        found: usize,
    },
    /// A custom backbone or network that does not add itself to an ONNX graph.
    #[error("this network cannot be exported to ONNX because it has no graph; implement {part}::add_to")]
    NotExportable {
        /// The trait to implement.
        part: &'static str,
    },
    /// Export of a network without a classifier, which has no logits.
    #[error("a network without a classifier cannot be exported to ONNX")]
    NoClassifier,
    /// Weights that do not match the model.
    #[error("the weights do not match the model: {0}")]
    Weights(String),
    /// A backbone parameter with a name reserved for another part of the model.
    #[error("parameter name {0:?} is reserved for another part of the model; rename the parameter")]
    NameTaken(String),
    /// A parameter that does not exist.
    #[error("the model has no parameter named {0:?}")]
    UnknownParameter(String),
    /// A weights file that cannot be parsed.
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
