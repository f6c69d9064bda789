use candle_core::{DType, Device, Tensor, Var};

use super::common::{Random, assert_close, values};
use super::{all_bf16_kernels, all_kernels, kernels, loss};
use crate::FeatureMap;
use crate::feature_map::VectorKernels;

/// The nearest values of bf16, in f32.
fn rounded(x: &Tensor) -> Tensor {
    x.to_dtype(DType::BF16).unwrap().to_dtype(DType::F32).unwrap()
}

/// All kernels in f32 and bf16, and a bound on the relative error of gradients: in bf16, a pixel's sum is rounded at each
/// addition.
fn kernels_and_bounds() -> impl Iterator<Item = (&'static str, VectorKernels, f64)> {
    let in_f32 = all_kernels().into_iter().map(|(name, kernels)| (name, kernels, 1e-6));
    in_f32.chain(all_bf16_kernels().into_iter().map(|(name, kernels)| (name, kernels, 5e-3)))
}

/// Both paths agree, also with ties, where only the first maximum gets the gradient.
#[test]
fn max_pool_agrees_on_both_paths() {
    let random = &mut Random::new(41);
    for (dims, kernel, stride, padding) in [
        ([2, 20, 9, 7], 3, 2, 1),
        ([3, 3, 8, 8], 2, 2, 0),
        ([1, 5, 5, 6], 3, 1, 1),
        ([2, 17, 6, 11], 5, 3, 2),
        ([1, 1, 1, 4], 3, 2, 1),
        ([2, 4, 7, 7], 7, 1, 0),
        ([2, 4, 7, 7], 2, 3, 1),
        // A stride beyond the image leaves one window.
        ([2, 4, 7, 7], 3, 1 << 40, 1),
    ] {
        for ties in [false, true] {
            let x = random.tensor(&dims);
            let x = if ties { x.round().unwrap() } else { x };
            let x = rounded(&x);
            let run = |x: &Var, kernels| {
                let map = FeatureMap::with_kernels(x, kernels).unwrap();
                let out = map.max_pool(kernel, stride, padding).unwrap().to_tensor().unwrap();
                let upstream = rounded(&Random::new(42).tensor(out.shape()));
                let grads = loss(&out, &upstream).backward().unwrap();
                (out, grads.get(x).unwrap().clone())
            };
            let composed = run(&Var::from_tensor(&x.to_dtype(DType::F64).unwrap()).unwrap(), None);
            for (name, kernels, bound) in kernels_and_bounds() {
                let blocked = run(&Var::from_tensor(&x).unwrap(), Some(kernels));
                let what = format!("{dims:?} {kernel} {stride} {padding} {name} {bound}");
                assert_close(&what, &blocked.0, &composed.0, 0.0);
                assert_close(&what, &blocked.1, &composed.1, bound);
            }
        }
    }
}

#[test]
fn only_the_first_maximum_gets_the_gradient() {
    let x = Var::from_tensor(&Tensor::ones((1, 1, 2, 2), DType::F32, &Device::Cpu).unwrap()).unwrap();
    for kernels in [Some(kernels()), None] {
        let out = FeatureMap::with_kernels(&x, kernels).unwrap().max_pool(2, 2, 0).unwrap();
        let grads = out.to_tensor().unwrap().sum_all().unwrap().backward().unwrap();
        assert_eq!(values(grads.get(&x).unwrap()), [1.0, 0.0, 0.0, 0.0]);
    }
}

#[test]
fn global_average_equals_the_mean() {
    let random = &mut Random::new(43);
    let x = Var::from_tensor(&rounded(&random.tensor((3, 21, 4, 5)))).unwrap();
    let upstream = random.tensor((3, 21));
    let theirs = loss(&x.mean((2, 3)).unwrap(), &upstream).backward().unwrap();
    for (name, kernels, bound) in kernels_and_bounds() {
        // Enters blocks through a 1x1 pooling, which is the identity.
        let map = FeatureMap::with_kernels(&x, Some(kernels)).unwrap().max_pool(1, 1, 0).unwrap();
        let out = map.global_avg_pool().unwrap();
        assert_close(&format!("mean, {name}"), &out, &x.mean((2, 3)).unwrap(), 1e-6);
        let ours = loss(&out, &upstream).backward().unwrap();
        let what = format!("gradient, {name} {bound}");
        assert_close(&what, ours.get(&x).unwrap(), theirs.get(&x).unwrap(), bound);
    }
}

#[test]
fn impossible_windows_are_errors() {
    let x = Tensor::zeros((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap();
    for (kernel, stride, padding) in [(0, 1, 0), (2, 0, 0), (2, 1, 2), (7, 1, 1)] {
        for kernels in [Some(kernels()), None] {
            let error = FeatureMap::with_kernels(&x, kernels).unwrap().max_pool(kernel, stride, padding);
            assert!(error.unwrap_err().to_string().contains("max pooling"));
        }
    }
}
