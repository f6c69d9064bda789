//! Independence of the results from the number of threads.

use candle_core::{Device, Tensor};

use super::common::Random;
use super::{Layer, all_bf16_kernels, all_kernels, conv3x3};
use crate::feature_map::VectorKernels;
use crate::{ConvShape, FeatureMap, Shortcut};

/// Bits of the weights after some steps of gradient descent on a small network.
fn train(kernels: VectorKernels, images: usize) -> Vec<u32> {
    let random = &mut Random::new(61);
    let layers = [
        conv3x3(3, 16, 1),
        conv3x3(16, 32, 2),
        conv3x3(32, 32, 1),
        ConvShape { kernel: 5, padding: 2, groups: 2, ..conv3x3(32, 20, 1) },
        conv3x3(20, 144, 1),
        conv3x3(144, 144, 1),
    ]
    .map(|shape| Layer::random(shape, random));
    let x = random.tensor((images, 3, 9, 8));
    for _ in 0..3 {
        let a = layers[0].train(&FeatureMap::with_kernels(&x, Some(kernels)).unwrap(), Shortcut::None);
        let b = layers[1].train(&a, Shortcut::None);
        let c = layers[2].train(&b, Shortcut::Subsample(&a, 2));
        let d = layers[3].train(&c.max_pool(3, 2, 1).unwrap(), Shortcut::None);
        let e = layers[5].train(&layers[4].train(&d, Shortcut::None), Shortcut::None);
        let loss = e.global_avg_pool().unwrap().sqr().unwrap().sum_all().unwrap();
        let grads = loss.backward().unwrap();
        for layer in &layers {
            for (_, parameter) in layer.parameters() {
                let step = (grads.get(parameter).unwrap() * 0.01).unwrap();
                parameter.set(&(parameter.as_tensor() - step).unwrap()).unwrap();
            }
        }
    }
    let state = layers.iter().flat_map(|layer| {
        let Layer { weight, gamma, beta, running_mean, running_var, .. } = layer;
        [weight, gamma, beta, running_mean, running_var].map(|var| var.flatten_all().unwrap())
    });
    let state = Tensor::cat(&state.collect::<Vec<_>>(), 0).unwrap().to_device(&Device::Cpu).unwrap();
    state.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

#[test]
fn one_two_and_three_threads_give_the_same_bits() {
    for (name, kernels) in all_kernels().into_iter().chain(all_bf16_kernels()) {
        for images in [5, 37] {
            let run = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| train(kernels, images))
            };
            let one = run(1);
            assert!(one.iter().all(|&bits| f32::from_bits(bits).is_finite()));
            for threads in [2, 3] {
                assert_eq!(run(threads), one, "{threads} threads, {images} images, {name}");
            }
        }
    }
}
