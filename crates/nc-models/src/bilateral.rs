use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::{Init, VarBuilder};

use crate::{
    Architecture, Backbone, Branch, Classifier, Error, Head, HeadConfig, Model, Network, ParamStore, Pass,
    ResNetConfig, Result,
    resnet::{BlockShape, ResidualBlock, Trunk},
};
#[cfg(feature = "onnx")]
use crate::{
    onnx::{Attribute, Graph, Value},
    resnet::add_pool,
};

/// The bilateral-branch network BBN (Zhou et al. 2020): a CIFAR ResNet whose last block exists twice. One copy learns from
/// uniformly sampled images, the other from images sampled with reversed class frequencies. A linear classifier reads
/// both features, 2P in all.
///
/// In training, the two views of a batch pass through the shared part one after the other, so that its batch norm sees
/// each alone and updates its running statistics twice; view 0 continues in the conventional branch, view 1 in the
/// re-balancing one. The branches have no logits: the loss mixes their features by the epoch's alpha. With a single
/// view, for a classifier that is retrained, and in inference, an image passes through both branches, whose features
/// are concatenated.
///
/// Parameters of the backbone are named as in the authors' code, without its prefix `backbone.`: those of
/// [`ResNet`](crate::ResNet) without the last block, and `cb_block.*`, `rb_block.*`. The classifier is `linear.*`; its weight
/// starts uniform within 1/sqrt(2P), as theirs.
pub struct Bilateral {
    parts: Arc<Parts>,
    model: Model,
}

/// The shared part and the two last blocks.
struct Parts {
    trunk: Trunk,
    branches: [ResidualBlock; 2],
    /// P.
    features: usize,
}

const NAMES: [&str; 2] = ["cb_block", "rb_block"];

impl Bilateral {
    /// A network for `classes` classes with parameters in `params`.
    ///
    /// # Errors
    ///
    /// Those of [`ResNet::new`](crate::ResNet::new) and [`Model::new`].
    pub fn new(params: ParamStore, config: ResNetConfig, classes: usize) -> Result<Self> {
        let parts = Arc::new(Parts::new(config, &params.builder())?);
        let model = Model::new(params, Both(Arc::clone(&parts)), &HeadConfig::Linear, classes)?;
        let bound = 1.0 / (model.feature_dim() as f64).sqrt();
        let uniform = Init::Uniform { lo: -bound, up: bound };
        model.params().reinitialize("linear.weight", uniform, "bilateral")?;
        Ok(Self { parts, model })
    }
}

impl Parts {
    fn new(config: ResNetConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let mut shared = config.stages();
        let (Some(mut last), Some(before)) = (shared.pop(), shared.last()) else {
            return Err(Error::Stages { expected: 2, found: config.stages().len() });
        };
        let features = last.channels;
        let mut shape =
            BlockShape { in_channels: before.channels, out_channels: features, stride: last.stride };
        last.blocks -= 1;
        if last.blocks > 0 {
            shared.push(last);
            shape = BlockShape { in_channels: features, stride: 1, ..shape };
        }
        let trunk = Trunk::new(config, &shared, vb)?;
        let [one, other] = NAMES.map(|name| ResidualBlock::new(config, shape, &vb.pp(name)));
        Ok(Self { trunk, branches: [one?, other?], features })
    }
}

/// The backbone of inference: each image through both branches.
struct Both(Arc<Parts>);

impl Backbone for Both {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let x = self.0.trunk.forward(images, pass)?;
        let [one, other] = self.0.branches.each_ref().map(|block| block.forward(&x, pass));
        Ok(Tensor::cat(&[one?.global_avg_pool()?, other?.global_avg_pool()?], 1)?)
    }

    fn feature_dim(&self) -> usize {
        2 * self.0.features
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let mut size = (height, width);
        let shared = self.0.trunk.multiply_adds(&mut size)?;
        let [one, other] = self.0.branches.each_ref().map(|block| block.multiply_adds(&mut size.clone()));
        let mut channels = self.0.trunk.channels().to_vec();
        if channels.last() != Some(&self.0.features) {
            channels.push(self.0.features);
        }
        Some(Architecture { channels, multiply_adds: shared + one? + other? })
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let x = self.0.trunk.add_to(graph, images)?;
        let mut branch = |block: &ResidualBlock, name| -> Result<Value> {
            let x = block.add_to(graph, &x)?;
            Ok(add_pool(graph, name, &x))
        };
        let [one, other] = &self.0.branches;
        let features = [branch(one, "cb.pool")?, branch(other, "rb.pool")?];
        Ok(graph.node("Concat", "features", &[&features[0], &features[1]], &[("axis", Attribute::Int(1))]))
    }
}

impl Network for Bilateral {
    fn forward_views(&self, views: &[&Tensor], pass: Pass) -> Result<Vec<Branch>> {
        if let [_] = views {
            return self.model.forward_views(views, pass);
        }
        if views.len() != self.parts.branches.len() {
            return Err(Error::Views { expected: self.parts.branches.len(), found: views.len() });
        }
        let branch = |(images, block): (&&Tensor, &ResidualBlock)| {
            let x = self.parts.trunk.forward(images, pass)?;
            let features = block.forward(&x, pass)?.global_avg_pool()?;
            Ok(Branch { features, logits: None, embedding: None })
        };
        views.iter().zip(&self.parts.branches).map(branch).collect()
    }

    fn infer(&self, images: &Tensor) -> Result<Branch> {
        self.model.infer(images)
    }

    fn classifier(&self) -> Result<Option<Classifier>> {
        self.model.classifier()
    }

    fn heads(&self) -> Vec<&dyn Head> {
        self.model.heads()
    }

    fn feature_dim(&self) -> usize {
        self.model.feature_dim()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        Network::architecture(&self.model, height, width)
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<(Value, Value)> {
        self.model.add_to(graph, images)
    }

    fn params(&self) -> &ParamStore {
        self.model.params()
    }

    fn redraw_classifier(&self, purpose: &str) -> Result<()> {
        self.model.redraw_classifier(purpose)
    }

    fn set_classifier(&self, classifier: &Classifier) -> Result<()> {
        self.model.set_classifier(classifier)
    }

    fn scale_logits(&mut self) -> Result<()> {
        self.model.scale_logits()
    }

    fn fold_scale(&mut self) -> Result<()> {
        self.model.fold_scale()
    }

    fn to_safetensors(&self) -> Result<Vec<u8>> {
        self.model.to_safetensors()
    }
}
