use candle_core::{D, Tensor, Var};
use candle_nn::{Init, VarBuilder, init};
use nc_kernels::Mode;

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Architecture, Backbone, Error, Pass, Result, Role, with_role};

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
    gamma: Tensor,
    beta: Tensor,
    running_mean: Var,
    running_var: Var,
    /// Prefix of the parameters, for the names in an ONNX graph.
    #[cfg(feature = "onnx")]
    name: String,
}

const EPS: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;
/// Minimum batch size; smaller batches have degenerate statistics.
const LEAST: usize = 3;

impl<B: Backbone> NormalizedFeatures<B> {
    /// Wraps `backbone`, with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// If `vb` has parameters of these names with other shapes.
    pub fn new(backbone: B, vb: &VarBuilder<'_>) -> Result<Self> {
        let get = |name: &str, init: Init| vb.get_with_hints(backbone.feature_dim(), name, init);
        let (gamma, beta) = (get("weight", init::ONE)?, get("bias", init::ZERO)?);
        let statistic = |name, init| Var::from_tensor(&with_role(Role::Statistic, || get(name, init))?);
        let running_mean = statistic("running_mean", init::ZERO)?;
        let running_var = statistic("running_var", init::ONE)?;
        Ok(Self {
            backbone,
            gamma,
            beta,
            running_mean,
            running_var,
            #[cfg(feature = "onnx")]
            name: vb.prefix(),
        })
    }

    /// (h - mean) / sqrt(var + eps) with batch statistics, which also update the running ones.
    fn standardize_by_batch(&self, h: &Tensor) -> Result<Tensor> {
        let images = h.dim(0)?;
        if images < LEAST {
            return Err(Error::BatchTooSmall { least: LEAST, found: images });
        }
        let mean = h.mean_keepdim(0)?;
        let centered = h.broadcast_sub(&mean)?;
        let var = centered.sqr()?.mean_keepdim(0)?;
        let step = |running: &Var, of_batch: &Tensor, factor: f64| {
            let old = (running.as_detached_tensor() * (1.0 - MOMENTUM))?;
            running.set(&(old + (of_batch.detach().squeeze(0)? * (MOMENTUM * factor))?)?)
        };
        step(&self.running_mean, &mean, 1.0)?;
        step(&self.running_var, &var, images as f64 / (images as f64 - 1.0))?;
        Ok(centered.broadcast_div(&(var + EPS)?.sqrt()?)?)
    }

    fn standardize_by_running(&self, h: &Tensor) -> Result<Tensor> {
        let (mean, var) = (self.running_mean.as_detached_tensor(), self.running_var.as_detached_tensor());
        Ok(h.broadcast_sub(&mean)?.broadcast_div(&(var + EPS)?.sqrt()?)?)
    }
}

impl<B: Backbone> Backbone for NormalizedFeatures<B> {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        let h = self.backbone.forward(images, pass)?;
        let standardized = match pass.batch_norm {
            Mode::Train => self.standardize_by_batch(&h)?,
            Mode::Eval => self.standardize_by_running(&h)?,
        };
        let normalized = standardized.broadcast_mul(&self.gamma)?.broadcast_add(&self.beta)?;
        unit_rows(&normalized)
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
        let (gamma, beta) = (constant("weight", &self.gamma)?, constant("bias", &self.beta)?);
        let mean = constant("running_mean", &self.running_mean)?;
        let var = constant("running_var", &self.running_var)?;
        let inputs = [&features, &gamma, &beta, &mean, &var];
        let eps = Attribute::Float(EPS as f32);
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
