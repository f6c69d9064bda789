use candle_core::Tensor;
use candle_nn::{Init, Linear, Module, VarBuilder};
use nc_kernels::Mode;

use crate::{Result, batch_norm::BatchNorm1d, feature_norm::unit_rows};

/// Projection head of contrastive learning: a perceptron from features to unit vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ProjectionConfig {
    /// Dimensions of the hidden layer, which is followed by a ReLU; 0 for none.
    #[cfg_attr(feature = "serde", schemars(range(max = 1_000_000)))]
    pub hidden: usize,
    /// Batch norm between the hidden layer and its ReLU.
    #[cfg_attr(feature = "serde", serde(default))]
    pub batch_norm: bool,
    /// Dimensions D of the embedding.
    #[cfg_attr(feature = "serde", schemars(range(min = 2, max = 1_000_000)))]
    pub dims: usize,
    /// A second projection, of the same shape, from the class directions of the classifier to class prototypes (BCL).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub class_prototypes: bool,
}

/// The layers of a [`ProjectionConfig`].
///
/// ```text
/// e = v / |v|,   v = W_2 relu(norm(W_1 h + b_1)) + b_2
/// ```
///
/// Without a hidden layer, v = W_2 h + b_2. Weights and biases are uniform within 1/sqrt(fan in), as in PyTorch.
pub(crate) struct Projection {
    hidden: Option<(Linear, Option<BatchNorm1d>)>,
    output: Linear,
}

impl Projection {
    /// A projection of vectors of `inputs` dimensions, with parameters from `vb`.
    pub(crate) fn new(config: ProjectionConfig, inputs: usize, vb: &VarBuilder<'_>) -> Result<Self> {
        let ProjectionConfig { hidden, batch_norm, dims, .. } = config;
        let linear = |inputs: usize, outputs: usize, name: &str| {
            let bound = 1.0 / (inputs as f64).sqrt();
            let init = Init::Uniform { lo: -bound, up: bound };
            let weight = vb.pp(name).get_with_hints((outputs, inputs), "weight", init)?;
            let bias = vb.pp(name).get_with_hints(outputs, "bias", init)?;
            Ok::<_, candle_core::Error>(Linear::new(weight, Some(bias)))
        };
        if hidden == 0 {
            return Ok(Self { hidden: None, output: linear(inputs, dims, "output")? });
        }
        let norm = batch_norm.then(|| BatchNorm1d::new(hidden, &vb.pp("norm"))).transpose()?;
        let first = linear(inputs, hidden, "hidden")?;
        Ok(Self { hidden: Some((first, norm)), output: linear(hidden, dims, "output")? })
    }

    /// D.
    pub(crate) fn dims(&self) -> usize {
        self.output.weight().dims()[0]
    }

    /// The embeddings (B, D) of vectors (B, P).
    ///
    /// # Errors
    ///
    /// [`Error::BatchTooSmall`](crate::Error::BatchTooSmall) for fewer than 3 rows in training with batch norm.
    pub(crate) fn forward(&self, x: &Tensor, mode: Mode) -> Result<Tensor> {
        let Some((first, norm)) = &self.hidden else { return unit_rows(&self.output.forward(x)?) };
        let mut hidden = first.forward(x)?;
        if let Some(norm) = norm {
            hidden = norm.forward(&hidden, mode)?;
        }
        unit_rows(&self.output.forward(&hidden.relu()?)?)
    }
}
