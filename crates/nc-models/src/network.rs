use candle_core::Tensor;

use crate::{Architecture, Head, ParamStore, Pass, Result};

/// Outputs of one branch of a [`Network`] for the images of its view.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The features h, (B, P), that the neural-collapse regularisers act on.
    pub features: Tensor,
    /// The logits z, (B, K); none while a network trains without a classifier, or where a loss computes them from the
    /// features of several branches.
    pub logits: Option<Tensor>,
    /// The embedding (B, D) of a projection head, if the branch has one.
    pub embedding: Option<Tensor>,
}

/// The affine map W h + b that decides about test images, whatever the network trains: everything that measures,
/// adjusts or exports a classifier goes by it.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The class directions w_k as rows, (K, P).
    pub weight: Tensor,
    /// The biases b_k, (K), where there are any.
    pub bias: Option<Tensor>,
}

/// The interface between trainer and network: one or more branches in training, one affine classifier on features in inference.
///
/// [`Model`](crate::Model), a backbone with one head, is the network with one branch. The mean of the logits of several
/// linear heads is one linear head on their concatenated features, so that networks of several branches have a
/// [`Classifier`], too.
pub trait Network: Send + Sync {
    /// The outputs of each branch in training, of `views`: the images (B, C, H, W) of each view of a batch. With
    /// `pass.gradient` false the features carry no gradient, but the heads on them still learn.
    ///
    /// # Errors
    ///
    /// Those of its layers, as for images of other channels; [`Error::Views`](crate::Error::Views) for another number of views.
    fn forward_views(&self, views: &[&Tensor], pass: Pass) -> Result<Vec<Branch>>;

    /// Features and logits in inference of images (B, C, H, W): batch norm by running statistics, no gradients. The logits
    /// are those of [`Network::classifier`], or decide like them.
    ///
    /// # Errors
    ///
    /// As [`Network::forward_views`].
    fn infer(&self, images: &Tensor) -> Result<Branch>;

    /// The affine classifier behind [`Network::infer`]; none while the network has no classifier.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn classifier(&self) -> Result<Option<Classifier>>;

    /// The head of a branch, if it has one.
    fn branch_head(&self, branch: usize) -> Option<&dyn Head>;

    /// The dimension P of the features of [`Network::infer`].
    fn feature_dim(&self) -> usize;

    /// Its size for images of `height` x `width`, classifier included, for records; none if unknown.
    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let _ = (height, width);
        None
    }

    /// All parameters.
    fn params(&self) -> &ParamStore;

    /// Draws the classifier again, N(0, 0.01) without biases, from a stream keyed by `purpose`, for it to be retrained
    /// (cRT).
    ///
    /// # Errors
    ///
    /// [`Error::FixedHead`](crate::Error::FixedHead).
    fn redraw_classifier(&self, purpose: &str) -> Result<()>;

    /// Replaces the linear classifier by `classifier`.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads; if a shape differs.
    fn set_classifier(&self, classifier: &Classifier) -> Result<()>;

    /// Puts a learnable factor, at first 1, on each logit of a linear classifier (LWS).
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads.
    fn scale_logits(&mut self) -> Result<()>;

    /// Multiplies the factors of [`Network::scale_logits`] into the classifier: the same logits without factors.
    /// A classifier without factors stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`](crate::Error::NotLinear) for other heads.
    fn fold_scale(&mut self) -> Result<()>;

    /// All parameters in the safetensors format, as [`Network::fold_scale`] would leave them.
    ///
    /// # Errors
    ///
    /// Those of safetensors and Candle.
    fn to_safetensors(&self) -> Result<Vec<u8>>;
}
