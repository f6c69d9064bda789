use candle_nn::VarBuilder;

use super::{CosineHead, EtfHead, Head, LinearHead};
use crate::{Error, Result};

/// Which head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum HeadConfig {
    /// [`LinearHead`].
    Linear,
    /// [`CosineHead`] with its scale s.
    Cosine {
        /// The factor s on the cosines; 30 in LDAM.
        scale: f64,
    },
    /// [`EtfHead`].
    Etf,
}

impl HeadConfig {
    /// A head for features of `features` dimensions and `classes` classes.
    ///
    /// # Errors
    ///
    /// [`Error::Classes`] and [`Error::EtfDimension`] if there is no such head; if `vb` has parameters of these names in other
    /// shapes.
    pub fn build(&self, features: usize, classes: usize, vb: &VarBuilder<'_>) -> Result<Box<dyn Head>> {
        if classes == 0 {
            return Err(Error::Classes { least: 1, found: 0 });
        }
        Ok(match *self {
            Self::Linear => Box::new(LinearHead::new(features, classes, vb)?),
            Self::Cosine { scale } => Box::new(CosineHead::new(features, classes, scale, vb)?),
            Self::Etf => Box::new(EtfHead::new(features, classes, vb)?),
        })
    }
}
