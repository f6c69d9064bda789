use candle_core::Tensor;

use crate::{ParamStore, Result};

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

    /// The factor s where the logits are s times cosines; 1 elsewhere.
    fn scale(&self) -> f64 {
        1.0
    }

    /// Draws the parameters again, which `params` holds under `prefix`: weights from N(0, 0.01), biases 0, by a stream
    /// keyed by `purpose`.
    ///
    /// # Errors
    ///
    /// [`Error::FixedHead`](crate::Error::FixedHead) for a head that does not learn.
    fn redraw(&self, params: &ParamStore, prefix: &str, purpose: &str) -> Result<()>;
}
