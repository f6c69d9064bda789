use candle_core::Tensor;

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
}
