use candle_nn::VarBuilder;

use super::{CosineHead, EtfHead, Head, LinearHead};
use crate::{Error, Result};

/// Classifier head.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
pub enum HeadConfig {
    /// Linear: W h + b.
    Linear,
    /// Cosine: `scale` times the cosine between feature and class direction.
    Cosine {
        /// The factor on the cosines; 30 in LDAM.
        #[cfg_attr(feature = "serde", schemars(range(max = 1e6), extend("exclusiveMinimum" = 0)))]
        scale: f64,
    },
    /// Fixed simplex ETF as class directions.
    Etf,
}

impl HeadConfig {
    /// A head for features of `features` dimensions and `classes` classes.
    ///
    /// # Errors
    ///
    /// [`Error::Classes`] and [`Error::EtfDimension`] if the head is impossible; an error of Candle if `vb` has
    /// parameters of these names with other shapes.
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

    /// Checks that the head is linear.
    ///
    /// # Errors
    ///
    /// [`Error::NotLinear`] for other heads.
    pub(crate) fn require_linear(&self) -> Result<()> {
        match self {
            Self::Linear => Ok(()),
            Self::Cosine { .. } => Err(Error::NotLinear { head: "cosine" }),
            Self::Etf => Err(Error::NotLinear { head: "etf" }),
        }
    }
}
