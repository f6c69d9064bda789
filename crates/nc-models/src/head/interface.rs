use candle_core::Tensor;

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{ParamStore, Result};

/// Classifier head on features.
pub trait Head: Send + Sync {
    /// Logits (B, K) of features (B, P).
    ///
    /// # Errors
    ///
    /// If the features have a wrong dimension.
    fn forward(&self, features: &Tensor) -> Result<Tensor>;

    /// The class directions w_k as rows, (K, P).
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn weight(&self) -> Result<Tensor>;

    /// The biases b_k, (K), if the head has any.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }

    /// The factor s if the logits are s times cosines, else 1.
    fn scale(&self) -> f64 {
        1.0
    }

    /// Re-initialises the parameters that `params` stores under `prefix`: weights from N(0, 0.01), biases 0, from a
    /// stream keyed by `purpose`.
    ///
    /// # Errors
    ///
    /// [`Error::FixedHead`](crate::Error::FixedHead) for a fixed head.
    fn redraw(&self, params: &ParamStore, prefix: &str, purpose: &str) -> Result<()>;

    /// Adds the head to an ONNX graph, with constants named `prefix.*`; returns the logits (N, K) of `features` (N, P).
    /// By default the affine map of [`Head::weight`] and [`Head::bias`].
    ///
    /// # Errors
    ///
    /// Those of Candle.
    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, prefix: &str, features: &Value) -> Result<Value> {
        let weight = graph.constant(&format!("{prefix}.weight"), &self.weight()?)?;
        let bias = self.bias()?.map(|bias| graph.constant(&format!("{prefix}.bias"), &bias)).transpose()?;
        let inputs: Vec<&Value> = [features, &weight].into_iter().chain(&bias).collect();
        Ok(graph.node("Gemm", prefix, &inputs, &[("transB", Attribute::Int(1))]))
    }
}
