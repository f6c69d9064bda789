use candle_core::{DType, Tensor};

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{ParamStore, Result};

/// The affine classifier W h + b for test images, whatever the network trains. All measurements, adjustments and
/// exports use it.
#[derive(Clone, Debug)]
pub struct Classifier {
    /// The class directions w_k as rows, (K, P).
    pub weight: Tensor,
    /// The biases b_k, (K), if any.
    pub bias: Option<Tensor>,
}

impl Classifier {
    /// The logits W h + b, (B, K), of `features` (B, P).
    ///
    /// # Errors
    ///
    /// If the features have a wrong dimension.
    pub fn logits(&self, features: &Tensor) -> Result<Tensor> {
        let logits = features.matmul(&self.weight.t()?)?;
        Ok(match &self.bias {
            Some(bias) => logits.broadcast_add(bias)?,
            None => logits,
        })
    }

    /// Sets the parameters `prefix.weight` and `prefix.bias` of a linear head.
    pub(crate) fn store(&self, params: &ParamStore, prefix: &str) -> Result<()> {
        let bias = match &self.bias {
            Some(bias) => bias.clone(),
            None => Tensor::zeros(self.weight.dim(0)?, DType::F32, params.device())?,
        };
        params.set(&format!("{prefix}.weight"), &self.weight)?;
        params.set(&format!("{prefix}.bias"), &bias)
    }

    /// Adds the classifier to an ONNX graph, with constants named `prefix.*`; returns the logits of `features`.
    #[cfg(feature = "onnx")]
    pub(crate) fn add_to(&self, graph: &mut Graph, prefix: &str, features: &Value) -> Result<Value> {
        let weight = graph.constant(&format!("{prefix}.weight"), &self.weight)?;
        let bias =
            self.bias.as_ref().map(|bias| graph.constant(&format!("{prefix}.bias"), bias)).transpose()?;
        let inputs: Vec<&Value> = [features, &weight].into_iter().chain(&bias).collect();
        Ok(graph.node("Gemm", prefix, &inputs, &[("transB", Attribute::Int(1))]))
    }
}
