//! Convolutions, batch norm and max pooling against PyTorch's numbers. f32 on the CPU uses the vector kernels; f64 and
//! GPUs use Candle's own operations.

mod common;

use candle_core::{DType, Device, Tensor, Var};
use common::{GOLDEN_BOUND, Golden};
use nc_kernels::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut, conv2d};

/// A loss whose gradient with respect to `out` is `upstream`.
fn loss(out: &Tensor, upstream: &Tensor) -> Tensor {
    let upstream = upstream.to_dtype(out.dtype()).unwrap().to_device(out.device()).unwrap();
    (out * upstream).unwrap().sum_all().unwrap()
}

fn check_conv(golden: &Golden, dtype: DType, name: &str, stride: usize, groups: usize) {
    let (x, weight) =
        (golden.var(&format!("in.{name}.x"), dtype), golden.var(&format!("in.{name}.weight"), dtype));
    let (out_channels, _, kernel, _) = weight.dims4().unwrap();
    let shape =
        ConvShape { in_channels: x.dims()[1], out_channels, kernel, stride, padding: kernel / 2, groups };
    let out = conv2d(&FeatureMap::from_images(&x).unwrap(), &weight, shape).unwrap().to_tensor().unwrap();
    golden.check(&format!("out.{name}"), &out, GOLDEN_BOUND);
    let grads = loss(&out, &golden.get(&format!("in.{name}.upstream"))).backward().unwrap();
    golden.check(&format!("grad.{name}.x"), grads.get(&x).unwrap(), GOLDEN_BOUND);
    golden.check(&format!("grad.{name}.weight"), grads.get(&weight).unwrap(), GOLDEN_BOUND);
}

fn check_convs(golden: &Golden, dtype: DType) {
    check_conv(golden, dtype, "conv3x3", 1, 1);
    check_conv(golden, dtype, "conv3x3.c16", 1, 1);
    check_conv(golden, dtype, "conv3x3.c64", 1, 1);
    check_conv(golden, dtype, "conv3x3.stem", 1, 1);
    check_conv(golden, dtype, "conv3x3.stride2", 2, 1);
    check_conv(golden, dtype, "conv1x1.stride2", 2, 1);
    check_conv(golden, dtype, "conv7x7.stride2", 2, 1);
    check_conv(golden, dtype, "conv3x3.groups4", 1, 4);
    check_conv(golden, dtype, "conv3x3.groups4.stride2", 2, 4);
}

/// Batch norm alone, as a layer with an identity kernel.
fn check_batch_norm(golden: &Golden, dtype: DType, name: &str, relu: bool, add: bool) {
    let x = golden.var(&format!("in.{name}.x"), dtype);
    let (gamma, beta) =
        (golden.var(&format!("in.{name}.gamma"), dtype), golden.var(&format!("in.{name}.beta"), dtype));
    let channels = x.dims()[1];
    let eye = Tensor::eye(channels, dtype, &golden.device).unwrap();
    let weight = eye.reshape((channels, channels, 1, 1)).unwrap();
    let residual = add.then(|| golden.var(&format!("in.{name}.residual"), dtype));
    let (mean, var) = (
        Var::zeros(channels, dtype, &golden.device).unwrap(),
        Var::ones(channels, dtype, &golden.device).unwrap(),
    );
    let layer = ConvNorm {
        shape: ConvShape {
            in_channels: channels,
            out_channels: channels,
            kernel: 1,
            stride: 1,
            padding: 0,
            groups: 1,
        },
        weight: &weight,
        gamma: &gamma,
        beta: &beta,
        running_mean: &mean,
        running_var: &var,
        eps: 1e-5,
        momentum: 0.1,
    };
    let shortcut = residual.as_ref().map(|r| FeatureMap::from_images(r).unwrap());
    let shortcut = shortcut.as_ref().map_or(Shortcut::None, Shortcut::Identity);
    let map = layer.forward(&FeatureMap::from_images(&x).unwrap(), shortcut, relu, Mode::Train).unwrap();
    let out = map.to_tensor().unwrap();
    golden.check(&format!("out.{name}"), &out, GOLDEN_BOUND);
    golden.check(&format!("out.{name}.running_mean"), &mean, GOLDEN_BOUND);
    golden.check(&format!("out.{name}.running_var"), &var, GOLDEN_BOUND);
    let grads = loss(&out, &golden.get(&format!("in.{name}.upstream"))).backward().unwrap();
    golden.check(&format!("grad.{name}.x"), grads.get(&x).unwrap(), GOLDEN_BOUND);
    golden.check(&format!("grad.{name}.gamma"), grads.get(&gamma).unwrap(), GOLDEN_BOUND);
    golden.check(&format!("grad.{name}.beta"), grads.get(&beta).unwrap(), GOLDEN_BOUND);
    if let Some(residual) = residual {
        golden.check(&format!("grad.{name}.residual"), grads.get(&residual).unwrap(), GOLDEN_BOUND);
    }
}

fn check_batch_norms(golden: &Golden, dtype: DType) {
    check_batch_norm(golden, dtype, "batch_norm", false, false);
    check_batch_norm(golden, dtype, "batch_norm.relu", true, false);
    check_batch_norm(golden, dtype, "batch_norm.add.relu", true, true);
}

fn check_max_pool(golden: &Golden, dtype: DType) {
    let name = "max_pool3x3.stride2.pad1";
    let x = golden.var(&format!("in.{name}.x"), dtype);
    let out = FeatureMap::from_images(&x).unwrap().max_pool(3, 2, 1).unwrap().to_tensor().unwrap();
    golden.check(&format!("out.{name}"), &out, GOLDEN_BOUND);
    let grads = loss(&out, &golden.get(&format!("in.{name}.upstream"))).backward().unwrap();
    golden.check(&format!("grad.{name}.x"), grads.get(&x).unwrap(), GOLDEN_BOUND);
}

const BOTH: [DType; 2] = [DType::F32, DType::F64];

#[test]
fn convolutions_match_pytorch() {
    let golden = Golden::layers(&Device::Cpu);
    for dtype in BOTH {
        check_convs(&golden, dtype);
    }
}

#[test]
fn batch_norm_matches_pytorch() {
    let golden = Golden::layers(&Device::Cpu);
    for dtype in BOTH {
        check_batch_norms(&golden, dtype);
    }
}

#[test]
fn max_pool_matches_pytorch() {
    let golden = Golden::layers(&Device::Cpu);
    for dtype in BOTH {
        check_max_pool(&golden, dtype);
    }
}

#[test]
#[allow(clippy::print_stdout)]
fn all_layers_match_pytorch_on_a_gpu() {
    let Ok(device) = Device::new_cuda(0).or_else(|_| Device::new_metal(0)) else {
        println!("skipped: no CUDA or Metal device, or built without its feature");
        return;
    };
    let golden = Golden::layers(&device);
    check_convs(&golden, DType::F32);
    check_batch_norms(&golden, DType::F32);
    check_max_pool(&golden, DType::F32);
}
