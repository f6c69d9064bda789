use candle_core::Tensor;
use nc_kernels::Mode;

#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{Architecture, Classifier, Head, ParamStore, Pass, Result};

/// Outputs of one branch of a [`Network`] for the images of its view.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The features h, (B, P), that the neural-collapse regularisers act on.
    pub features: Tensor,
    /// The logits z, (B, K); `None` if a network trains without a classifier, or a loss computes them from the features
    /// of several branches.
    pub logits: Option<Tensor>,
    /// The embedding (B, D) of a projection head, if the branch has one.
    pub embedding: Option<Tensor>,
}

impl Branch {
    /// The outputs of `images` images from number `start`.
    pub(crate) fn rows(&self, start: usize, images: usize) -> Result<Self> {
        let rows = |tensor: &Tensor| tensor.narrow(0, start, images);
        Ok(Self {
            features: rows(&self.features)?,
            logits: self.logits.as_ref().map(rows).transpose()?,
            embedding: self.embedding.as_ref().map(rows).transpose()?,
        })
    }
}

/// Interface between trainer and network: one or more branches in training, one affine classifier on features in
/// inference.
///
/// [`Model`](crate::Model), a backbone with one head, has one branch. Networks of several branches have a
/// [`Classifier`], too: the mean of the logits of linear heads is one linear head on their concatenated features.
pub trait Network: Send + Sync {
    /// The training outputs of each branch, given the images (B, C, H, W) of each view of a batch. Without
    /// `pass.gradient` the features carry no gradient, but the heads still learn.
    ///
    /// # Errors
    ///
    /// Those of the layers, for example for a wrong number of channels; [`Error::Views`](crate::Error::Views) for a
    /// wrong number of views.
    fn forward_views(&self, views: &[&Tensor], pass: Pass) -> Result<Vec<Branch>>;

    /// Features and logits of images (B, C, H, W) in inference: running batch-norm statistics, no gradients. The logits
    /// are those of [`Network::classifier`], or give the same decisions.
    ///
    /// # Errors
    ///
    /// As [`Network::forward_views`].
    fn infer(&self, images: &Tensor) -> Result<Branch>;

    /// The affine classifier of [`Network::infer`]; `None` while the network has none.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn classifier(&self) -> Result<Option<Classifier>>;

    /// The classifier heads: none, one, or one for each expert. Those of experts divide the features of
    /// [`Network::infer`] into equal parts, in order, and the logits are the mean of theirs.
    fn heads(&self) -> Vec<&dyn Head>;

    /// The dimension D of the projection head's embeddings; `None` without one.
    fn embedding_dim(&self) -> Option<usize> {
        None
    }

    /// The embeddings (K, D) of the classes, if a projection head computes them from the class directions.
    ///
    /// # Errors
    ///
    /// Those of the layers.
    fn prototypes(&self, batch_norm: Mode) -> Result<Option<Tensor>> {
        let _ = batch_norm;
        Ok(None)
    }

    /// The feature dimension P of [`Network::infer`].
    fn feature_dim(&self) -> usize;

    /// Network size for images of `height` x `width`, classifier included, for records; `None` if unknown.
    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let _ = (height, width);
        None
    }

    /// Adds the network in inference to an ONNX graph; returns features (N, P) and logits (N, K) of the normalised
    /// `images` (N, C, H, W).
    ///
    /// # Errors
    ///
    /// [`Error::NotExportable`](crate::Error::NotExportable) unless implemented, or from the backbone.
    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<(Value, Value)> {
        let _ = (graph, images);
        Err(crate::Error::NotExportable { part: "Network" })
    }

    /// All parameters.
    fn params(&self) -> &ParamStore;

    /// Re-initialises the classifier with N(0, 0.01) and zero biases from a stream keyed by `purpose`, for retraining
    /// (cRT).
    ///
    /// # Errors
    ///
    /// [`Error::FixedHead`](crate::Error::FixedHead) for a fixed head.
    fn redraw_classifier(&self, purpose: &str) -> Result<()>;

    /// Replaces the linear classifier by `classifier`.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads; an error of Candle if a shape differs.
    fn set_classifier(&self, classifier: &Classifier) -> Result<()>;

    /// Adds a learnable factor, initially 1, to each logit of a linear classifier (LWS).
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads, [`Error::SeveralHeads`](crate::Error::SeveralHeads)
    /// for several.
    fn scale_logits(&mut self) -> Result<()>;

    /// Folds the factors of [`Network::scale_logits`] into the classifier, which keeps the logits. A classifier without
    /// factors is unchanged.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads.
    fn fold_scale(&mut self) -> Result<()>;

    /// All parameters in the safetensors format, as after [`Network::fold_scale`].
    ///
    /// # Errors
    ///
    /// Those of safetensors and Candle.
    fn to_safetensors(&self) -> Result<Vec<u8>>;
}
