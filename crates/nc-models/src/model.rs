use candle_core::Tensor;
use nc_kernels::Mode;

#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};
use crate::{
    Architecture, Backbone, Branch, Classifier, Error, Group, Head, HeadConfig, Network, ParamStore, Pass,
    ProjectionConfig, Result, ScaledHead, projection::Projection,
};

/// A backbone and a classifier head, with or without a projection head, that share a parameter store.
///
/// In training it takes any number of views of a batch, in one pass: batch norm sees the images of all views together.
pub struct Model {
    backbone: Box<dyn Backbone>,
    head: Box<dyn Head>,
    projection: Option<Projection>,
    /// Projection of the class directions.
    class_projection: Option<Projection>,
    kind: HeadConfig,
    classes: usize,
    params: ParamStore,
}

/// Features and logits of a batch.
#[derive(Clone, Debug)]
pub struct Output {
    /// The penultimate features h, (B, P).
    pub features: Tensor,
    /// The logits z, (B, K).
    pub logits: Tensor,
}

impl Model {
    /// Combines `backbone`, built on `params`, with a new head for `classes` classes, whose parameters are below [`Backbone::head_name`].
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] if the backbone has parameters of such names, [`Error::Classes`] and
    /// [`Error::EtfDimension`] if the head is impossible.
    pub fn new(
        params: ParamStore,
        backbone: impl Backbone + 'static,
        head: &HeadConfig,
        classes: usize,
    ) -> Result<Self> {
        let name = backbone.head_name();
        params.ensure_free(name)?;
        let kind = *head;
        let head = kind.build(backbone.feature_dim(), classes, &params.builder_in(Group::Head).pp(name))?;
        Ok(Self {
            backbone: Box::new(backbone),
            head,
            projection: None,
            class_projection: None,
            kind,
            classes,
            params,
        })
    }

    /// Adds a projection head with parameters `projection.*`, and `class_projection.*` for class prototypes.
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`] if the backbone has parameters of such names.
    pub fn with_projection(mut self, config: ProjectionConfig) -> Result<Self> {
        let vb = self.params.builder_in(Group::Projection);
        let projection = |name: &str| {
            self.params.ensure_free(name)?;
            Projection::new(config, self.feature_dim(), &vb.pp(name))
        };
        let own = projection("projection")?;
        let of_classes = config.class_prototypes.then(|| projection("class_projection")).transpose()?;
        (self.projection, self.class_projection) = (Some(own), of_classes);
        Ok(self)
    }

    /// Features and logits of images (B, C, H, W).
    ///
    /// # Errors
    ///
    /// Those of the backbone, for example for a wrong number of channels or too few pixels.
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
        // Custom backbones may ignore `pass.gradient`.
        Ok(if pass.gradient { features } else { features.detach() })
    }

    /// The classifier head.
    pub fn head(&self) -> &dyn Head {
        self.head.as_ref()
    }
}

impl Model {
    /// Name prefix of the head's parameters.
    fn head_name(&self) -> &'static str {
        self.backbone.head_name()
    }

    /// Name of the factors of [`Network::scale_logits`].
    fn scale_name(&self) -> String {
        format!("{}.scale", self.head_name())
    }
}

impl Network for Model {
    fn forward_views(&self, views: &[&Tensor], pass: Pass) -> Result<Vec<Branch>> {
        let features = match views {
            [] => return Err(Error::Views { expected: 1, found: 0 }),
            [images] => self.features(images, pass)?,
            views => self.features(&Tensor::cat(views, 0)?, pass)?,
        };
        let logits = Some(self.head.forward(&features)?);
        let project = |projection: &Projection| projection.forward(&features, pass.batch_norm);
        let embedding = self.projection.as_ref().map(project).transpose()?;
        let all = Branch { features, logits, embedding };
        if views.len() == 1 {
            return Ok(vec![all]);
        }
        let mut start = 0;
        let of_view = |images: &&Tensor| {
            let images = images.dim(0)?;
            let branch = all.rows(start, images)?;
            start += images;
            Ok(branch)
        };
        views.iter().map(of_view).collect()
    }

    fn infer(&self, images: &Tensor) -> Result<Branch> {
        let Output { features, logits } = self.forward(images, Pass::EVAL)?;
        Ok(Branch { features, logits: Some(logits), embedding: None })
    }

    fn classifier(&self) -> Result<Option<Classifier>> {
        Ok(Some(Classifier { weight: self.head.weight()?, bias: self.head.bias()? }))
    }

    fn heads(&self) -> Vec<&dyn Head> {
        vec![self.head.as_ref()]
    }

    fn embedding_dim(&self) -> Option<usize> {
        self.projection.as_ref().map(Projection::dims)
    }

    fn prototypes(&self, batch_norm: Mode) -> Result<Option<Tensor>> {
        let Some(projection) = &self.class_projection else { return Ok(None) };
        Ok(Some(projection.forward(&self.head.weight()?, batch_norm)?))
    }

    fn feature_dim(&self) -> usize {
        self.backbone.feature_dim()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let mut architecture = self.backbone.architecture(height, width)?;
        architecture.multiply_adds += (self.feature_dim() * self.classes) as u64;
        Some(architecture)
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<(Value, Value)> {
        let features = self.backbone.add_to(graph, images)?;
        let logits = self.head.add_to(graph, self.head_name(), &features)?;
        Ok((features, logits))
    }

    fn params(&self) -> &ParamStore {
        &self.params
    }

    fn redraw_classifier(&self, purpose: &str) -> Result<()> {
        self.head.redraw(&self.params, self.head_name(), purpose)
    }

    fn set_classifier(&self, classifier: &Classifier) -> Result<()> {
        self.kind.require_linear()?;
        classifier.store(&self.params, self.head_name())
    }

    fn scale_logits(&mut self) -> Result<()> {
        self.kind.require_linear()?;
        let head = self.params.builder_in(Group::Head).pp(self.head_name());
        let scale = self.params.builder_in(Group::LogitScale).pp(self.head_name());
        self.head = Box::new(ScaledHead::new(self.feature_dim(), self.classes, &head, &scale)?);
        Ok(())
    }

    fn fold_scale(&mut self) -> Result<()> {
        self.kind.require_linear()?;
        let Some(classifier) = self.classifier()? else { return Ok(()) };
        self.set_classifier(&classifier)?;
        self.params.remove(&self.scale_name());
        let head = self.params.builder_in(Group::Head).pp(self.head_name());
        self.head = self.kind.build(self.feature_dim(), self.classes, &head)?;
        Ok(())
    }

    fn to_safetensors(&self) -> Result<Vec<u8>> {
        let (weight, bias) = (self.head.weight()?, self.head.bias()?);
        let is_scaled = self.params.contains(&self.scale_name());
        self.params.to_safetensors_with(|name, tensor| match name.strip_prefix(self.head_name()) {
            Some(".scale") => None,
            Some(".weight") if is_scaled => Some(weight.clone()),
            Some(".bias") if is_scaled => bias.clone(),
            _ => Some(tensor.clone()),
        })
    }
}
