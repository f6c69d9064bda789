use candle_core::Tensor;
use candle_nn::{VarBuilder, init};

use super::{Head, LinearHead};
use crate::{ParamStore, Result};

/// z_k = f_k (<w_k, h> + b_k): a [`LinearHead`] with a learnable factor per logit, `scale` (K), initially 1. Learnable
/// weight scaling (Kang et al. 2020, section 4.2).
pub struct ScaledHead {
    linear: LinearHead,
    scale: Tensor,
}

impl ScaledHead {
    /// A scaled head with weights and biases from `head` and factors from `scale`.
    ///
    /// # Errors
    ///
    /// If they have parameters of these names with other shapes.
    pub fn new(
        features: usize,
        classes: usize,
        head: &VarBuilder<'_>,
        scale: &VarBuilder<'_>,
    ) -> Result<Self> {
        let linear = LinearHead::new(features, classes, head)?;
        Ok(Self { linear, scale: scale.get_with_hints(classes, "scale", init::ONE)? })
    }
}

impl Head for ScaledHead {
    fn forward(&self, features: &Tensor) -> Result<Tensor> {
        Ok(self.linear.forward(features)?.broadcast_mul(&self.scale)?)
    }

    fn weight(&self) -> Result<Tensor> {
        Ok(self.linear.weight()?.broadcast_mul(&self.scale.unsqueeze(1)?)?)
    }

    fn bias(&self) -> Result<Option<Tensor>> {
        self.linear.bias()?.map(|bias| Ok(bias.broadcast_mul(&self.scale)?)).transpose()
    }
    fn redraw(&self, params: &ParamStore, prefix: &str, purpose: &str) -> Result<()> {
        self.linear.redraw(params, prefix, purpose)
    }
}
