use candle_core::Tensor;

use crate::Result;

/// A classifier on features.
pub trait Head: Send + Sync {
    /// Logits (B, K) of features (B, P).
    ///
    /// # Errors
    ///
    /// If the features have another dimension.
    fn forward(&self, features: &Tensor) -> Result<Tensor>;

    /// The class directions w_k as rows, (K, P).
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn weight(&self) -> Result<Tensor>;

    /// The biases b_k, (K), where the head has them.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(None)
    }
}
