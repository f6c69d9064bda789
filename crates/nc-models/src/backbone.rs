use candle_core::Tensor;
use nc_kernels::Mode;
use nc_kernels::gpu::Precision;

use crate::Result;
#[cfg(feature = "onnx")]
use crate::onnx::{Graph, Value};

/// Mode of a forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// Batch-norm statistics: of the batch (which update the running ones), or the running ones.
    pub batch_norm: Mode,
    /// Whether to compute gradients. If false, no graph and no activations are kept.
    pub gradient: bool,
    /// Precision of the layers before the features.
    pub precision: Precision,
}

impl Pass {
    /// Training: batch statistics, with gradients, f32.
    pub const TRAIN: Self = Self { batch_norm: Mode::Train, gradient: true, precision: Precision::F32 };
    /// Evaluation: running statistics, without gradients, f32.
    pub const EVAL: Self = Self { batch_norm: Mode::Eval, gradient: false, precision: Precision::F32 };
}

/// A network from images to features. Implement it to train a custom backbone.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use candle_nn::{Linear, Module, VarBuilder};
/// use nc_models::{Backbone, HeadConfig, Model, ParamStore, Pass, Result};
///
/// /// One hidden layer on flattened 28x28 images.
/// struct Perceptron(Linear);
///
/// impl Backbone for Perceptron {
///     fn forward(&self, images: &Tensor, _: Pass) -> Result<Tensor> {
///         Ok(self.0.forward(&images.flatten_from(1)?)?.relu()?)
///     }
///     fn feature_dim(&self) -> usize {
///         32
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let params = ParamStore::new(0, &Device::Cpu);
/// let hidden = candle_nn::linear(28 * 28, 32, params.builder().pp("hidden"))?;
/// let model = Model::new(params, Perceptron(hidden), &HeadConfig::Linear, 10)?;
/// # Ok(())
/// # }
/// ```
pub trait Backbone: Send + Sync {
    /// Features (B, P) of images (B, C, H, W).
    ///
    /// # Errors
    ///
    /// Those of the network, for example for a wrong number of channels or too few pixels.
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor>;

    /// The feature dimension P.
    fn feature_dim(&self) -> usize;

    /// Name of the classifier's parameters.
    fn head_name(&self) -> &'static str {
        "linear"
    }

    /// Network size for images of `height` x `width`, for records; `None` if unknown.
    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        let _ = (height, width);
        None
    }

    /// Adds the network in evaluation to an ONNX graph; returns the features (N, P) of the normalised `images` (N, C, H,
    /// W).
    ///
    /// # Errors
    ///
    /// [`Error::NotExportable`](crate::Error::NotExportable) unless implemented.
    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        let _ = (graph, images);
        Err(crate::Error::NotExportable { part: "Backbone" })
    }
}

/// The size of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// Channels of each stage.
    pub channels: Vec<usize>,
    /// Multiply-adds per image, each counted once.
    pub multiply_adds: u64,
}

impl<B: Backbone + ?Sized> Backbone for Box<B> {
    fn forward(&self, images: &Tensor, pass: Pass) -> Result<Tensor> {
        self.as_ref().forward(images, pass)
    }

    fn feature_dim(&self) -> usize {
        self.as_ref().feature_dim()
    }

    fn head_name(&self) -> &'static str {
        self.as_ref().head_name()
    }

    fn architecture(&self, height: usize, width: usize) -> Option<Architecture> {
        self.as_ref().architecture(height, width)
    }

    #[cfg(feature = "onnx")]
    fn add_to(&self, graph: &mut Graph, images: &Value) -> Result<Value> {
        self.as_ref().add_to(graph, images)
    }
}
