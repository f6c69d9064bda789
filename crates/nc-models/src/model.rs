use candle_core::Tensor;

use crate::{Backbone, Error, Head, HeadConfig, ParamStore, Pass, Result, ScaledHead};

/// A backbone and a classifier head over one parameter store.
pub struct Model {
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
    kind: HeadConfig,
    classes: usize,
    params: ParamStore,
}

/// What a model makes of a batch.
#[derive(Clone, Debug)]
pub struct Output {
    /// The penultimate features h, (B, P).
    pub features: Tensor,
    /// The logits z, (B, K).
    pub logits: Tensor,
}

impl Model {
    /// Joins `backbone`, built on `params`, with a new head for `classes` classes, whose parameters are
    /// named `linear.*`.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] if the backbone has parameters of such names, [`Error::Classes`] and
    /// [`Error::EtfDimension`] if there is no such head.
    pub fn new(
        params: ParamStore,
        backbone: impl Backbone + 'static,
        head: &HeadConfig,
        classes: usize,
    ) -> Result<Self> {
        params.ensure_free(Self::HEAD)?;
        let kind = *head;
        let head = kind.build(backbone.feature_dim(), classes, &params.builder().pp(Self::HEAD))?;
        Ok(Self { backbone: Box::new(backbone), head, kind, classes, params })
    }

    /// The name under which the head's parameters stand.
    pub const HEAD: &'static str = "linear";

    /// The factors of [`Model::scale_logits`] among the parameters.
    pub const SCALE: &'static str = "linear.scale";

    /// Features and logits of images (B, C, H, W).
    ///
    /// # Errors
    ///
    /// The backbone's, as for images of other channels or too few pixels.
    pub fn forward(&self, images: &Tensor, pass: Pass) -> Result<Output> {
        let features = self.features(images, pass)?;
        let logits = self.head.forward(&features)?;
        let logits = if pass.gradient { logits } else { logits.detach() };
        Ok(Output { features, logits })
    }

    /// The features (B, P) of images (B, C, H, W).
    ///
    /// # Errors
    ///
    /// As [`Model::forward`].
    pub fn features(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let features = self.backbone.forward(images, pass)?;
        // A user's backbone need not look at `pass.gradient`.
        Ok(if pass.gradient { features } else { features.detach() })
    }

    /// The feature dimension P.
    pub fn feature_dim(&self) -> usize {
        self.backbone.feature_dim()
    }

    /// Puts a learnable factor on each logit, at first 1: the linear head becomes a [`ScaledHead`], whose `linear.scale`
    /// joins the parameters. [`Model::fold_scale`] ends it.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`] for other heads.
    pub fn scale_logits(&mut self) -> Result<()> {
        self.linear()?;
        let vb = self.params.builder().pp(Self::HEAD);
        self.head = Box::new(ScaledHead::new(self.feature_dim(), self.classes, &vb)?);
        Ok(())
    }

    /// Multiplies the factors of [`Model::scale_logits`] into weights and biases: the same logits from a linear head.
    /// One without factors stays as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`] for other heads.
    pub fn fold_scale(&mut self) -> Result<()> {
        self.linear()?;
        if let Some(bias) = self.head.bias()? {
            self.set_classifier(&self.head.weight()?, &bias)?;
        }
        self.params.remove(Self::SCALE);
        self.head =
            self.kind.build(self.feature_dim(), self.classes, &self.params.builder().pp(Self::HEAD))?;
        Ok(())
    }

    /// All parameters in the safetensors format, as [`Model::fold_scale`] would leave them: a model that learns
    /// `linear.scale` is a linear one to whoever reads them.
    ///
    /// # Errors
    ///
    /// Those of safetensors and Candle.
    pub fn to_safetensors(&self) -> Result<Vec<u8>> {
        let (weight, bias) = (self.head.weight()?, self.head.bias()?);
        let is_scaled = self.params.contains(Self::SCALE);
        self.params.to_safetensors_with(|name, tensor| match name.strip_prefix(Self::HEAD) {
            Some(".scale") => None,
            Some(".weight") if is_scaled => Some(weight.clone()),
            Some(".bias") if is_scaled => bias.clone(),
            _ => Some(tensor.clone()),
        })
    }

    /// Gives the linear head `weight` (K, P) and `bias` (K).
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`] for other heads; if a shape is another.
    pub fn set_classifier(&self, weight: &Tensor, bias: &Tensor) -> Result<()> {
        self.linear()?;
        self.params.set(&format!("{}.weight", Self::HEAD), weight)?;
        self.params.set(&format!("{}.bias", Self::HEAD), bias)
    }

    fn linear(&self) -> Result<()> {
        match self.kind {
            HeadConfig::Linear => Ok(()),
            HeadConfig::Cosine { .. } => Err(Error::NotLinear { head: "cosine" }),
            HeadConfig::Etf => Err(Error::NotLinear { head: "etf" }),
        }
    }

    /// The classifier.
    pub fn head(&self) -> &dyn Head {
        self.head.as_ref()
    }

    /// The parameters of backbone and head.
    pub fn params(&self) -> &ParamStore {
        &self.params
    }
}
