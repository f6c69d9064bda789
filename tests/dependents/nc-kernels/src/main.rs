//! Runs a layer of convolution, batch norm and ReLU forward and backward.

use candle_core::{DType, Device, Result, Tensor, Var};
use nc_kernels::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

fn main() -> Result<()> {
    let device = Device::Cpu;
    let shape = ConvShape { in_channels: 3, out_channels: 16, kernel: 3, stride: 1, padding: 1, groups: 1 };
    let weight = Var::randn(0f32, 0.1, (16, 3, 3, 3), &device)?;
    let (gamma, beta) = (Var::ones(16, DType::F32, &device)?, Var::zeros(16, DType::F32, &device)?);
    let running_mean = Var::zeros(16, DType::F32, &device)?;
    let running_var = Var::ones(16, DType::F32, &device)?;
    let layer = ConvNorm {
        shape,
        weight: &weight,
        gamma: &gamma,
        beta: &beta,
        running_mean: &running_mean,
        running_var: &running_var,
        eps: 1e-5,
        momentum: 0.1,
    };

    let images = FeatureMap::from_images(&Tensor::randn(0f32, 1.0, (4, 3, 8, 8), &device)?)?;
    let features = layer.forward(&images, Shortcut::None, true, Mode::Train)?.global_avg_pool()?;
    let gradients = features.sum_all()?.backward()?;
    let gradient = gradients.get(&weight).map(|gradient| gradient.dims());
    println!("features {:?}, gradient of the weight {gradient:?}", features.dims());
    Ok(())
}
