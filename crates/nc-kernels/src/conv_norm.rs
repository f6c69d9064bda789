use candle_core::{DType, Device, DeviceLocation, Result, Tensor};

use crate::feature_map::{VectorKernels, with_kernels};
use crate::{ConvNorm, ConvShape, Error, FeatureMap, Mode, Shortcut, composed, gpu, graph, isa};

impl ConvNorm<'_> {
    /// relu(batch_norm(conv(x)) + shortcut), with the ReLU optional. Gradients flow to x, shortcut, weight, gamma and
    /// beta, where these are tracked; the gradient of ReLU at 0 is 0, as in PyTorch.
    ///
    /// # Errors
    ///
    /// If shapes, dtypes or devices do not match, or in [`Mode::Train`] if there is a single value per channel.
    pub fn forward(
        &self,
        x: &FeatureMap,
        shortcut: Shortcut<'_>,
        relu: bool,
        mode: Mode,
    ) -> Result<FeatureMap> {
        let (h, w) = check_convolution(x, self.weight, self.shape)?;
        let out = (x.dims().0, self.shape.out_channels, h, w);
        self.check_parameters(x)?;
        check_shortcut(shortcut, out, x)?;
        if mode == Mode::Train && out.0 * h * w == 1 {
            return Err(Error::OneValuePerChannel.into());
        }
        if let Some(on_gpu) = x.on_gpu() {
            if self.shape.is_on_gpu() {
                return Ok(FeatureMap::from_gpu(gpu::conv_norm(self, on_gpu, shortcut, relu, mode)?));
            }
            return on_cpu(x, self.shape, |x| self.forward(x, shortcut, relu, mode));
        }
        match x.kernels() {
            Some(kernels) if self.shape.has_kernels() => with_kernels!(kernels, kernels => {
                let out = graph::conv_norm(self, kernels, x, shortcut, relu, mode)?;
                Ok(FeatureMap::from_blocked(out))
            }),
            kernels => {
                let out = composed::conv_norm(self, &x.to_tensor()?, shortcut, relu, mode)?;
                FeatureMap::with_kernels(&out, kernels)
            }
        }
    }

    fn check_parameters(&self, x: &FeatureMap) -> std::result::Result<(), Error> {
        let expected = [self.shape.out_channels];
        for (name, tensor) in [
            ("gamma", self.gamma),
            ("beta", self.beta),
            ("running mean", self.running_mean.as_tensor()),
            ("running variance", self.running_var.as_tensor()),
        ] {
            check_parameter(name, tensor, &expected, x)?;
        }
        Ok(())
    }
}

fn check_shortcut(
    shortcut: Shortcut<'_>,
    expected: (usize, usize, usize, usize),
    x: &FeatureMap,
) -> std::result::Result<(), Error> {
    let (map, stride) = match shortcut {
        Shortcut::None => return Ok(()),
        Shortcut::Identity(map) => (map, 1),
        Shortcut::Subsample(map, stride) => (map, stride),
    };
    check_storage("shortcut", map.storage(), x)?;
    let found = map.dims();
    let (n, c, h, w) = found;
    let channels_fit = match shortcut {
        Shortcut::Subsample(..) => c <= expected.1 && (expected.1 - c).is_multiple_of(2),
        _ => c == expected.1,
    };
    let pixels = (n, h.div_ceil(stride.max(1)), w.div_ceil(stride.max(1)));
    if stride > 0 && channels_fit && pixels == (expected.0, expected.2, expected.3) {
        Ok(())
    } else {
        Err(Error::Shortcut { expected, found, stride })
    }
}

/// Convolution of `x` with `weight` (C_out, C_in / groups, k, k), without bias; differentiable.
///
/// # Errors
///
/// If shapes, dtypes or devices do not match.
pub fn conv2d(x: &FeatureMap, weight: &Tensor, shape: ConvShape) -> Result<FeatureMap> {
    check_convolution(x, weight, shape)?;
    if let Some(on_gpu) = x.on_gpu() {
        if shape.is_on_gpu() {
            return Ok(FeatureMap::from_gpu(gpu::conv2d(on_gpu, weight, shape)?));
        }
        return on_cpu(x, shape, |x| conv2d(x, weight, shape));
    }
    match x.kernels() {
        Some(kernels) if shape.has_kernels() => with_kernels!(kernels, kernels => {
            Ok(FeatureMap::from_blocked(graph::conv2d(x, kernels, weight, shape)?))
        }),
        kernels => FeatureMap::with_kernels(&composed::conv2d(&x.to_tensor()?, weight, shape)?, kernels),
    }
}

/// Computes a convolution that the GPU has no kernel for on the CPU, and returns its output to the GPU.
fn on_cpu(
    x: &FeatureMap,
    shape: ConvShape,
    compute: impl FnOnce(&FeatureMap) -> Result<FeatureMap>,
) -> Result<FeatureMap> {
    gpu::note_unsupported(shape);
    let kernels = Some(VectorKernels::F32(isa::kernels()?.f32));
    let tensor = FeatureMap::with_kernels(&x.to_tensor()?, kernels)?;
    let out = compute(&tensor)?.to_tensor()?;
    match x.on_gpu() {
        Some(on_gpu) => Ok(FeatureMap::from_gpu(gpu::enter_with(on_gpu, &out)?)),
        None => FeatureMap::with_kernels(&out, kernels),
    }
}

/// Checks the arguments and returns height and width of the output.
fn check_convolution(
    x: &FeatureMap,
    weight: &Tensor,
    shape: ConvShape,
) -> std::result::Result<(usize, usize), Error> {
    shape.validate()?;
    let (_, channels, height, width) = x.dims();
    if channels != shape.in_channels {
        return Err(Error::Channels { expected: shape.in_channels, found: channels });
    }
    check_parameter("weight", weight, &shape.weight_dims(), x)?;
    shape.output_size(height, width)
}

/// Checks that a parameter has shape `expected` and the dtype and device of `x`.
fn check_parameter(
    name: &'static str,
    tensor: &Tensor,
    expected: &[usize],
    x: &FeatureMap,
) -> std::result::Result<(), Error> {
    if tensor.dims() == expected {
        check_storage(name, (tensor.dtype(), tensor.device()), x)
    } else {
        Err(Error::Parameter { name, expected: expected.to_vec(), found: tensor.dims().to_vec() })
    }
}

fn check_storage(
    name: &'static str,
    found: (DType, &Device),
    x: &FeatureMap,
) -> std::result::Result<(), Error> {
    let expected = x.storage();
    if found.0 == expected.0 && found.1.same_device(expected.1) {
        return Ok(());
    }
    let words = |(dtype, device): (DType, &Device)| {
        let device = match device.location() {
            DeviceLocation::Cpu => "cpu".to_string(),
            DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
            DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
        };
        format!("{} on {device}", dtype.as_str())
    };
    Err(Error::Storage { name, expected: words(expected), found: words(found) })
}
