//! Batch statistics where precision is easily lost.

use candle_core::{DType, Device, Tensor, Var};

use super::common::{Random, assert_close, values};
use super::{Layer, all_bf16_kernels, all_kernels, conv3x3, loss};
use crate::{ConvShape, FeatureMap, Shortcut};

/// Batch norm alone, as a layer with an identity kernel.
fn norm_only(channels: usize) -> Layer {
    let shape = ConvShape { kernel: 1, padding: 0, ..conv3x3(channels, channels, 1) };
    let layer = Layer::random(shape, &mut Random::new(1));
    let eye = Tensor::eye(channels, DType::F32, &Device::Cpu).unwrap();
    layer.weight.set(&eye.reshape((channels, channels, 1, 1)).unwrap()).unwrap();
    layer
}

/// A mean of a thousand standard deviations, where plain sums of squares would lose the variance.
#[test]
fn large_means_keep_the_variance() {
    let layer = norm_only(20);
    let random = &mut Random::new(51);
    let dims = (19, 20, 9, 7);
    let offset = random.tensor((1, 20, 1, 1)).affine(300.0, 2000.0).unwrap();
    let x = random.tensor(dims).broadcast_add(&offset).unwrap();
    let upstream = random.tensor(dims);
    let run = |dtype: DType, kernels| {
        let layer = layer.to_dtype(dtype);
        let x = Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
        let map = FeatureMap::with_kernels(&x, kernels).unwrap();
        let out = layer.train(&map, Shortcut::None).to_tensor().unwrap();
        let grads = loss(&out, &upstream).backward().unwrap();
        let gradients = [&x, &layer.gamma, &layer.beta].map(|var| grads.get(var).unwrap().clone());
        (out, gradients, layer.running_var.as_tensor().copy().unwrap())
    };
    let expected = run(DType::F64, None);
    for (name, kernels) in all_kernels() {
        let ours = run(DType::F32, Some(kernels));
        // y itself loses three digits of f32 when its mean is subtracted.
        assert_close(&format!("output, {name}"), &ours.0, &expected.0, 3e-4);
        for (ours, expected) in ours.1.iter().zip(&expected.1) {
            assert_close(&format!("gradients, {name}"), ours, expected, 1e-3);
        }
        assert_close(&format!("running variance, {name}"), &ours.2, &expected.2, 1e-5);
    }
}

/// The first tile differs from the rest of the image.
#[test]
fn unlike_first_tile_keeps_the_variance() {
    let layer = norm_only(16);
    let mut data = Random::new(52).vec(16 * 16 * 33 * 32);
    for x in &mut data {
        *x += 500.0;
    }
    for plane in data.chunks_mut(33 * 32) {
        plane[..32].fill(0.0);
    }
    let exact = Tensor::from_vec(data, (16, 16, 33, 32), &Device::Cpu).unwrap();
    let rounded = exact.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap();
    let in_f32 = all_kernels().into_iter().map(|(name, kernels)| (name, kernels, &exact, 1e-5));
    // Among the rounded values are only a few different squares, so that rounding in f32 sums has a bias.
    let in_bf16 = all_bf16_kernels().into_iter().map(|(name, kernels)| (name, kernels, &rounded, 3e-4));
    for (name, kernels, x, bound) in in_f32.chain(in_bf16) {
        layer.running_mean.set(&Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap()).unwrap();
        layer.running_var.set(&Tensor::zeros(16, DType::F32, &Device::Cpu).unwrap()).unwrap();
        layer.train(&FeatureMap::with_kernels(x, Some(kernels)).unwrap(), Shortcut::None);
        let exact = x.to_dtype(DType::F64).unwrap().transpose(0, 1).unwrap().flatten_from(1).unwrap();
        let variance = (exact.var(1).unwrap() * 0.1).unwrap();
        assert_close(name, &layer.running_var, &variance, bound);
        let mean = (exact.mean(1).unwrap() * 0.1).unwrap();
        assert_close(name, &layer.running_mean, &mean, 1e-6);
    }
}

/// Constant channels have variance 0: the output is beta, and all gradients are finite.
#[test]
fn constant_channels_give_beta() {
    let layer = norm_only(16);
    let x = Var::from_tensor(&Tensor::full(3f32, (2, 16, 3, 3), &Device::Cpu).unwrap()).unwrap();
    let in_f32 = all_kernels().into_iter().map(|(name, kernels)| (name, kernels, 1e-3));
    let in_bf16 = all_bf16_kernels().into_iter().map(|(name, kernels)| (name, kernels, 4e-3));
    for (name, kernels, bound) in in_f32.chain(in_bf16) {
        let map = FeatureMap::with_kernels(&x, Some(kernels)).unwrap();
        let out = layer.train(&map, Shortcut::None).to_tensor().unwrap();
        let expected = layer.beta.relu().unwrap().reshape((1, 16, 1, 1)).unwrap();
        assert_close(name, &out, &expected.broadcast_as(out.shape()).unwrap(), bound);
        let grads = out.sqr().unwrap().sum_all().unwrap().backward().unwrap();
        assert!(values(grads.get(&x).unwrap()).iter().all(|g| g.is_finite()), "{name}");
    }
}
