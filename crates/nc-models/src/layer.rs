#[cfg(feature = "onnx")]
use candle_core::{DType, Device};
use candle_core::{Tensor, Var};
use candle_nn::{VarBuilder, init};
use nc_kernels::{ConvNorm, ConvShape, FeatureMap, Shortcut};

#[cfg(feature = "onnx")]
use crate::onnx::{Attribute, Graph, Value};
use crate::{Pass, Result, Role, with_role};

/// Convolution, batch norm, optional shortcut and optional ReLU: the building block of the networks.
///
/// Parameters have PyTorch's names and shapes: `weight` of the convolution (C_out, C_in / groups, k, k),
/// initialised Kaiming normal (fan in); `weight`, `bias`, `running_mean` and `running_var` of the batch norm.
pub struct ConvNormLayer {
    shape: ConvShape,
    relu: bool,
    weight: Tensor,
    gamma: Tensor,
    beta: Tensor,
    running_mean: Var,
    running_var: Var,
    /// Prefix of the convolution's parameters, for the names in an ONNX graph.
    #[cfg(feature = "onnx")]
    name: String,
}

impl ConvNormLayer {
    /// Batch norm's epsilon and momentum, as in PyTorch.
    const EPS: f64 = 1e-5;
    const MOMENTUM: f64 = 0.1;

    /// A layer with the parameters of the convolution from `conv` and of batch norm from `norm`.
    ///
    /// # Errors
    ///
    /// If `shape` is invalid, or parameters of these names have other shapes.
    pub fn new(shape: ConvShape, relu: bool, conv: &VarBuilder<'_>, norm: &VarBuilder<'_>) -> Result<Self> {
        shape.validate().map_err(candle_core::Error::from)?;
        let ConvShape { in_channels, out_channels, kernel, groups, .. } = shape;
        let dims = (out_channels, in_channels / groups, kernel, kernel);
        let statistic = |name, init| {
            let tensor = with_role(Role::Statistic, || norm.get_with_hints(out_channels, name, init))?;
            Ok::<_, crate::Error>(Var::from_tensor(&tensor)?)
        };
        Ok(Self {
            shape,
            relu,
            weight: conv.get_with_hints(dims, "weight", init::DEFAULT_KAIMING_NORMAL)?,
            gamma: norm.get_with_hints(out_channels, "weight", init::ONE)?,
            beta: norm.get_with_hints(out_channels, "bias", init::ZERO)?,
            running_mean: statistic("running_mean", init::ZERO)?,
            running_var: statistic("running_var", init::ONE)?,
            #[cfg(feature = "onnx")]
            name: conv.prefix(),
        })
    }

    /// Multiply-adds of the convolution for an image of `size` (height, width). Sets `size` to that of the output.
    /// `None` if the kernel does not fit the image.
    pub(crate) fn multiply_adds(&self, size: &mut (usize, usize)) -> Option<u64> {
        *size = self.shape.output_size(size.0, size.1).ok()?;
        Some((self.weight.elem_count() * size.0 * size.1) as u64)
    }

    /// relu(batch_norm(conv(x)) + shortcut), without the ReLU if the layer has none.
    ///
    /// # Errors
    ///
    /// Those of [`ConvNorm::forward`](nc_kernels::ConvNorm::forward).
    pub fn forward(&self, x: &FeatureMap, shortcut: Shortcut<'_>, pass: Pass) -> Result<FeatureMap> {
        let parameter = |tensor: &Tensor| if pass.gradient { tensor.clone() } else { tensor.detach() };
        let (weight, gamma, beta) = (parameter(&self.weight), parameter(&self.gamma), parameter(&self.beta));
        let layer = ConvNorm {
            shape: self.shape,
            weight: &weight,
            gamma: &gamma,
            beta: &beta,
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            eps: Self::EPS,
            momentum: Self::MOMENTUM,
        };
        Ok(layer.forward(x, shortcut, self.relu, pass.batch_norm)?)
    }

    /// Weight and bias of the convolution that equals convolution and batch norm in evaluation, f64 on the CPU:
    /// w gamma / sqrt(var + eps) and beta - mean gamma / sqrt(var + eps).
    #[cfg(feature = "onnx")]
    pub(crate) fn folded(&self) -> Result<(Tensor, Tensor)> {
        let f64s = |tensor: &Tensor| tensor.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64);
        let (gamma, beta) = (f64s(&self.gamma)?, f64s(&self.beta)?);
        let (mean, var) = (f64s(&self.running_mean)?, f64s(&self.running_var)?);
        let scale = (gamma / (var + Self::EPS)?.sqrt()?)?;
        let weight = f64s(&self.weight)?.broadcast_mul(&scale.reshape(((), 1, 1, 1))?)?;
        Ok((weight, (beta - (mean * scale)?)?))
    }

    /// Adds [`ConvNormLayer::forward`] in evaluation to an ONNX graph, with batch norm folded into the convolution.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    #[cfg(feature = "onnx")]
    pub fn add_to(&self, graph: &mut Graph, x: &Value, shortcut: Option<&Value>) -> Result<Value> {
        let Self { shape: ConvShape { kernel, stride, padding, groups, .. }, name, .. } = self;
        let (weight, bias) = self.folded()?;
        let weight = graph.constant(&format!("{name}.weight"), &weight)?;
        let bias = graph.constant(&format!("{name}.bias"), &bias)?;
        let attributes = [
            ("kernel_shape", Attribute::Ints(&[*kernel as i64; 2])),
            ("strides", Attribute::Ints(&[*stride as i64; 2])),
            ("pads", Attribute::Ints(&[*padding as i64; 4])),
            ("group", Attribute::Int(*groups as i64)),
        ];
        let mut y = graph.node("Conv", name, &[x, &weight, &bias], &attributes);
        if let Some(shortcut) = shortcut {
            y = graph.node("Add", &format!("{name}.add"), &[&y, shortcut], &[]);
        }
        if self.relu {
            y = graph.node("Relu", &format!("{name}.relu"), &[&y], &[]);
        }
        Ok(y)
    }
}
