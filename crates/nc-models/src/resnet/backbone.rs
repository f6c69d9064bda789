use candle_core::Tensor;
use candle_nn::VarBuilder;

use super::{config::ResNetConfig, trunk::Trunk};
#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Architecture, Backbone, Error, Pass, Result};

/// A residual network, from images to the mean of the last feature map. Accepts any image height and width.
///
/// Parameters are named as in the common PyTorch implementations: `conv1`, `bn1`, `layer1.0.conv1`, `layer1.0.bn1`, ..., with
/// `shortcut.0` and `shortcut.1` (networks for small images) or `downsample.0` and `downsample.1` (torchvision's) for the convolution and batch
/// norm of a projected shortcut. The classifier of a torchvision network is named `fc`.
pub struct ResNet {
    trunk: Trunk,
    features: usize,
    config: ResNetConfig,
}

impl ResNet {
    /// A network of the given architecture.
    ///
    /// # Errors
    ///
    /// [`Error::Stages`] without blocks; if a number of channels is 0 or not divisible by the groups, or `vb` has parameters of
    /// these names with other shapes.
    pub fn new(config: ResNetConfig, vb: &VarBuilder<'_>) -> Result<Self> {
        let stages = config.stages();
        let Some(last) = stages.last() else { return Err(Error::Stages { expected: 1, found: 0 }) };
        Ok(Self { trunk: Trunk::new(config, &stages, vb)?, features: last.channels, config })
    }
}

impl Backbone for ResNet {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        Ok(self.trunk.forward(images, pass)?.global_avg_pool()?)
    }

    fn feature_dim(&self) -> usize {
        self.features
    }

    fn head_name(&self) -> &'static str {
        self.config.names.head()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let multiply_adds = self.trunk.multiply_adds(&mut (height, width))?;
        Some(Architecture { channels: self.trunk.channels().to_vec(), multiply_adds })
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let x = self.trunk.add_to(graph, images)?;
        Ok(add_pool(graph, "pool", &x))
    }
}

/// Adds global average pooling to an ONNX graph; returns features (N, P).
#[cfg(feature = "onnx")]
pub(crate) fn add_pool(graph: &mut Graph, name: &str, x: &Value) -> Value {
    let pooled = graph.node("GlobalAveragePool", name, &[x], &[]);
    graph.node("Flatten", &format!("{name}.flat"), &[&pooled], &[("axis", Attribute::Int(1))])
}
