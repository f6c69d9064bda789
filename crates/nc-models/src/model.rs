use candle_core::Tensor;

use crate::{Backbone, Head, HeadConfig, ParamStore, Pass, Result};

/// A backbone and a classifier head over one parameter store.
pub struct Model {
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
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
    pub fn new(
        params: ParamStore,
        backbone: impl Backbone + 'static,
        head: &HeadConfig,
        classes: usize,
    ) -> Result<Self> {
        let head = head.build(backbone.feature_dim(), classes, &params.builder().pp(Self::HEAD))?;
        Ok(Self { backbone: Box::new(backbone), head, params })
    }

    /// The name under which the head's parameters stand.
    pub const HEAD: &'static str = "linear";

    /// Features and logits of images (B, C, H, W).
    pub fn forward(&self, images: &Tensor, pass: Pass) -> Result<Output> {
        let features = self.features(images, pass)?;
        let logits = self.head.forward(&features)?;
        let logits = if pass.gradient { logits } else { logits.detach() };
        Ok(Output { features, logits })
    }

    /// The features (B, P) of images (B, C, H, W).
    pub fn features(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let features = self.backbone.forward(images, pass)?;
        // A user's backbone need not look at `pass.gradient`.
        Ok(if pass.gradient { features } else { features.detach() })
    }

    /// The feature dimension P.
    pub fn feature_dim(&self) -> usize {
        self.backbone.feature_dim()
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
