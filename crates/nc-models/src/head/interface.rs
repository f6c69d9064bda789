use candle_core::Tensor;

#[cfg(feature = "onnx")]
use crate::{
    Classifier,
    onnx::{Graph, Value},
};
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

    /// The vectors (B, P) on which [`Head::weight`] and [`Head::bias`] give the logits of `features` (B, P): the features,
    /// or their directions for a cosine head.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn input(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.clone())
    }

    /// Adds [`Head::input`] to an ONNX graph, with values named `prefix.*`.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    #[cfg(feature = "onnx")]
    fn add_input_to(&self, graph: &mut Graph, prefix: &str, features: &Value) -> Result<Value> {
        let _ = (graph, prefix);
        Ok(features.clone())
    }

    /// Adds the head to an ONNX graph, with constants named `prefix.*`; returns the logits (N, K) of `features` (N, P).
    ///
    /// # Errors
    ///
    /// Those of Candle.
    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, prefix: &str, features: &Value) -> Result<Value> {
        let input = self.add_input_to(graph, &format!("{prefix}.unit"), features)?;
        Classifier { weight: self.weight()?, bias: self.bias()? }.add_to(graph, prefix, &input)
    }
}
