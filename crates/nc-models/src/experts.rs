use candle_core::Tensor;
use candle_nn::VarBuilder;
use nc_kernels::FeatureMap;

use crate::{
    Architecture, Branch, Classifier, Error, Group, Head, HeadConfig, Network, ParamStore, Pass,
    ResNetConfig, Result,
    resnet::{StageConfig, Stages, Trunk},
};
#[cfg(feature = "onnx")]
use crate::{
    onnx::{Attribute, Graph, Value},
    resnet::add_pool,
};

/// Configuration of [`Experts`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpertsConfig {
    /// Architecture of the shared part with one expert.
    pub resnet: ResNetConfig,
    /// Number of experts E.
    pub experts: usize,
    /// Give the experts' stages three quarters of their channels: 24 and 48 in place of 32 and 64 in ResNet-32.
    pub reduce_dimension: bool,
    /// Classifier of each expert.
    pub head: HeadConfig,
}

/// The multi-expert network of RIDE (Wang et al. 2021): a ResNet whose last two stages and classifier exist once for each of
/// E experts; the earlier stages are shared. The logits are the mean of those of the experts.
///
/// In training, each expert is a branch with features (B, P) and logits. In inference, the features (B, E P) are those of
/// all experts side by side, expert by expert, with unit norm each if the classifiers are cosine heads: a linear classifier
/// on them with the directions w_k / E of the experts gives the mean logits.
///
/// Parameters are named as in the authors' code, without its prefix `backbone.`: those of [`ResNet`](crate::ResNet) for the
/// shared stages, then, with three stages, `layer2s.e.*`, `layer3s.e.*` and `linears.e.*` of expert e, from 0. Their `linears.e.weight` is (P, K), the
/// transpose of ours.
pub struct Experts {
    trunk: Trunk,
    /// The part of each expert.
    own: Vec<Expert>,
    kind: HeadConfig,
    classes: usize,
    params: ParamStore,
}

struct Expert {
    stages: Stages,
    head: Box<dyn Head>,
}

/// Stages of each expert.
const OWN: usize = 2;

/// Name prefix of the classifiers.
const HEADS: &str = "linears";

impl Experts {
    /// A network for `classes` classes with parameters in `params`.
    ///
    /// # Errors
    ///
    /// [`Error::NoExperts`] without experts; those of [`ResNet::new`](crate::ResNet::new) and [`HeadConfig::build`].
    pub fn new(params: ParamStore, config: &ExpertsConfig, classes: usize) -> Result<Self> {
        if config.experts == 0 {
            return Err(Error::NoExperts);
        }
        let stages = config.resnet.stages();
        let found = stages.len();
        let before = found.checked_sub(OWN).filter(|&shared| shared > 0);
        let before = before.ok_or(Error::Stages { expected: OWN + 1, found })?;
        let (shared, later) = stages.split_at(before);
        let later = later.iter().map(|&stage| {
            let channels = if config.reduce_dimension { stage.channels * 3 / 4 } else { stage.channels };
            StageConfig { channels, ..stage }
        });
        let later: Vec<_> = later.collect();
        let vb = params.builder();
        let trunk = Trunk::new(config.resnet, shared, &vb)?;
        let channels = trunk.channels().last().copied().unwrap_or(0);
        let expert = |number: usize| {
            let stage = |index: usize| vb.pp(format!("layer{}s", before + index + 1)).pp(number);
            let named = later.iter().enumerate().map(|(index, &config)| (config, stage(index)));
            let stages = Stages::new(channels, named, config.resnet)?;
            let features = later.last().map_or(channels, |stage| stage.channels);
            let head: VarBuilder<'_> = params.builder_in(Group::Head).pp(HEADS).pp(number);
            Ok(Expert { stages, head: config.head.build(features, classes, &head)? })
        };
        let own = (0..config.experts).map(expert).collect::<Result<_>>()?;
        Ok(Self { trunk, own, kind: config.head, classes, params })
    }

    /// The classifier of the experts' features side by side.
    fn joint(&self) -> Result<Classifier> {
        let weights = self.own.iter().map(|expert| expert.head.weight()).collect::<Result<Vec<_>>>()?;
        let biases = self.own.iter().filter_map(|expert| expert.head.bias().transpose());
        let biases = biases.collect::<Result<Vec<_>>>()?;
        let bias = if biases.is_empty() { None } else { Some(Tensor::stack(&biases, 0)?.mean(0)?) };
        Ok(Classifier { weight: (Tensor::cat(&weights, 1)? / self.own.len() as f64)?, bias })
    }

    /// P.
    fn features(&self) -> usize {
        self.own.first().and_then(|expert| expert.stages.channels().last().copied()).unwrap_or(0)
    }
}

impl Expert {
    fn features(&self, shared: &FeatureMap, pass: Pass) -> Result<Tensor> {
        let features = self.stages.forward(shared.clone(), pass)?.global_avg_pool()?;
        Ok(if pass.gradient { features } else { features.detach() })
    }
}

impl Network for Experts {
    fn forward_views(&self, views: &[&Tensor], pass: Pass) -> Result<Vec<Branch>> {
        let [images] = views else { return Err(Error::Views { expected: 1, found: views.len() }) };
        let shared = self.trunk.forward(images, pass)?;
        let branch = |expert: &Expert| {
            let features = expert.features(&shared, pass)?;
            let logits = Some(expert.head.forward(&features)?);
            Ok(Branch { features, logits, embedding: None })
        };
        self.own.iter().map(branch).collect()
    }

    fn infer(&self, images: &Tensor) -> Result<Branch> {
        let shared = self.trunk.forward(images, Pass::EVAL)?;
        let features = |expert: &Expert| expert.head.input(&expert.features(&shared, Pass::EVAL)?);
        let features = self.own.iter().map(features).collect::<Result<Vec<_>>>()?;
        let features = Tensor::cat(&features, 1)?;
        let logits = self.joint()?.logits(&features)?.detach();
        Ok(Branch { features, logits: Some(logits), embedding: None })
    }

    fn classifier(&self) -> Result<Option<Classifier>> {
        self.joint().map(Some)
    }

    fn heads(&self) -> Vec<&dyn Head> {
        self.own.iter().map(|expert| expert.head.as_ref()).collect()
    }

    fn feature_dim(&self) -> usize {
        self.own.len() * self.features()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let mut size = (height, width);
        let mut multiply_adds = self.trunk.multiply_adds(&mut size)?;
        let mut channels = self.trunk.channels().to_vec();
        channels.extend(self.own.first()?.stages.channels());
        for expert in &self.own {
            multiply_adds += expert.stages.multiply_adds(&mut size.clone())?;
        }
        multiply_adds += (self.feature_dim() * self.classes) as u64;
        Some(Architecture { channels, multiply_adds })
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<(Value, Value)> {
        let shared = self.trunk.add_to(graph, images)?;
        let mut features = vec![];
        for (number, expert) in self.own.iter().enumerate() {
            let own = expert.stages.add_to(graph, &shared)?;
            let own = add_pool(graph, &format!("pool.{number}"), &own);
            features.push(expert.head.add_input_to(graph, &format!("unit.{number}"), &own)?);
        }
        let features: Vec<&Value> = features.iter().collect();
        let features = graph.node("Concat", "features", &features, &[("axis", Attribute::Int(1))]);
        let logits = self.joint()?.add_to(graph, HEADS, &features)?;
        Ok((features, logits))
    }

    fn params(&self) -> &ParamStore {
        &self.params
    }

    fn redraw_classifier(&self, purpose: &str) -> Result<()> {
        let mut heads = self.own.iter().enumerate();
        heads.try_for_each(|(number, expert)| {
            expert.head.redraw(&self.params, &format!("{HEADS}.{number}"), purpose)
        })
    }

    /// Gives each expert its share of the directions, times E, and all the same biases: the mean of their logits is that
    /// of `classifier`.
    fn set_classifier(&self, classifier: &Classifier) -> Result<()> {
        self.kind.require_linear()?;
        let (features, experts) = (self.features(), self.own.len());
        for number in 0..experts {
            let share = classifier.weight.narrow(1, number * features, features)?;
            let own = Classifier { weight: (share * experts as f64)?, bias: classifier.bias.clone() };
            own.store(&self.params, &format!("{HEADS}.{number}"))?;
        }
        Ok(())
    }

    fn scale_logits(&mut self) -> Result<()> {
        Err(Error::SeveralHeads { found: self.own.len() })
    }

    fn fold_scale(&mut self) -> Result<()> {
        Ok(())
    }

    fn to_safetensors(&self) -> Result<Vec<u8>> {
        self.params.to_safetensors_with(|_, tensor| Some(tensor.clone()))
    }
}
