use candle_core::Tensor;
use candle_nn::{Init, VarBuilder, init};

use super::Head;
use crate::{ParamStore, Result};

/// z = W h + b with learnable `weight` (K, P), Kaiming normal, and `bias` (K), uniform within 1/sqrt(P) as in
/// PyTorch.
pub struct LinearHead {
    weight: Tensor,
    bias: Tensor,
}

impl LinearHead {
    /// A linear head with parameters from `vb`.
    ///
    /// # Errors
    ///
    /// If `vb` has parameters of these names with other shapes.
    pub fn new(features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let bound = 1.0 / (features as f64).sqrt();
        Ok(Self {
            weight: vb.get_with_hints((classes, features), "weight", init::DEFAULT_KAIMING_NORMAL)?,
            bias: vb.get_with_hints(classes, "bias", Init::Uniform { lo: -bound, up: bound })?,
        })
    }
}

impl Head for LinearHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(features.matmul(&self.weight.t()?)?.broadcast_add(&self.bias)?)
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.weight.clone())
    }

    fn bias(&self) -> Result<Option<Tensor>> {
        Ok(Some(self.bias.clone()))
    }
    fn redraw(&self, params: &ParamStore, prefix: &str, purpose: &str) -> Result<()> {
        for (name, stdev) in [("weight", 0.01), ("bias", 0.0)] {
            params.reinitialize(&format!("{prefix}.{name}"), Init::Randn { mean: 0.0, stdev }, purpose)?;
        }
        Ok(())
    }
}
