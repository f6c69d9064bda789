use candle_core::{D, Tensor};
use candle_nn::VarBuilder;

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Architecture, Backbone, Pass, Result, batch_norm::BatchNorm1d};

/// A backbone with features normalised by batch norm and then to length 1, as before the fixed ETF of Yang et al.
/// (2022).
///
/// ```text
/// h <- gamma (h - mean) / sqrt(var + 1e-5) + beta;   h <- h / |h|
/// ```
///
/// Mean and variance are batch statistics in training and running statistics in evaluation, with the names (`weight`,
/// `bias`, `running_mean`, `running_var`) and the momentum 0.1 of PyTorch's `BatchNorm1d`. Training needs batches of at
/// least 3 images: normalised over one image every feature is 0, over two it is 1 or -1.
pub struct NormalizedFeatures<B> {
    backbone: B,
    norm: BatchNorm1d,
    /// Prefix of the parameters, for the names in an ONNX graph.
    #[cfg(feature = "onnx")]
    name: String,
}

impl<B: Backbone> NormalizedFeatures<B> {
    /// Wraps `backbone`, with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// If `vb` has parameters of these names with other shapes.
    pub fn new(backbone: B, vb: &VarBuilder<'_>) -> Result<Self> {
        let norm = BatchNorm1d::new(backbone.feature_dim(), vb)?;
        Ok(Self {
            backbone,
            norm,
            #[cfg(feature = "onnx")]
            name: vb.prefix(),
        })
    }
}

impl<B: Backbone> Backbone for NormalizedFeatures<B> {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let h = self.backbone.forward(images, pass)?;
        unit_rows(&self.norm.forward(&h, pass.batch_norm)?)
    }

    fn feature_dim(&self) -> usize {
        self.backbone.feature_dim()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        self.backbone.architecture(height, width)
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let features = self.backbone.add_to(graph, images)?;
        let mut constant =
            |part: &str, tensor: &Tensor| graph.constant(&format!("{}.{part}", self.name), tensor);
        let (gamma, beta) = (constant("weight", &self.norm.gamma)?, constant("bias", &self.norm.beta)?);
        let mean = constant("running_mean", &self.norm.running_mean)?;
        let var = constant("running_var", &self.norm.running_var)?;
        let inputs = [&features, &gamma, &beta, &mean, &var];
        let eps = Attribute::Float(BatchNorm1d::EPS as f32);
        let normalized = graph.node("BatchNormalization", &self.name, &inputs, &[("epsilon", eps)]);
        add_unit_rows(graph, &format!("{}.unit", self.name), &normalized)
    }
}

/// Divides rows by their Euclidean norm. A zero row stays zero and has no gradient.
pub(crate) fn unit_rows(x: &Tensor) -> Result<Tensor> {
    let squared = x.sqr()?.sum_keepdim(D::Minus1)?;
    let has_direction = squared.detach().ge(f64::from(f32::MIN_POSITIVE))?.broadcast_as(x.shape())?;
    let unit = x.broadcast_div(&(squared + 1e-24)?.sqrt()?)?;
    Ok(has_direction.where_cond(&unit, &unit.zeros_like()?.detach())?)
}

/// Adds [`unit_rows`] to an ONNX graph.
#[cfg(feature = "onnx")]
pub(crate) fn add_unit_rows(graph: &mut Graph, name: &str, x: &Value) -> Result<Value> {
    let epsilon = Tensor::new(&[[1e-24f32]], &candle_core::Device::Cpu)?;
    let epsilon = graph.constant(&format!("{name}.epsilon"), &epsilon)?;
    let axes = [("axes", Attribute::Ints(&[1])), ("keepdims", Attribute::Int(1))];
    let squared = graph.node("ReduceSumSquare", &format!("{name}.squared"), &[x], &axes);
    let positive = graph.node("Add", &format!("{name}.positive"), &[&squared, &epsilon], &[]);
    let norm = graph.node("Sqrt", &format!("{name}.norm"), &[&positive], &[]);
    Ok(graph.node("Div", name, &[x, &norm], &[]))
}
