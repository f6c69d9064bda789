//! Graphs beyond a chain: several readers, several passes, unused passes.

use candle_core::{DType, Tensor, Var};

use super::common::{Random, assert_close};
use super::{Layer, conv3x3, kernels, loss};
use crate::feature_map::VectorKernels;
use crate::{FeatureMap, Mode, Shortcut, conv2d};

/// Asserts bitwise equality.
fn assert_same(what: &str, a: &Tensor, b: &Tensor) {
    assert_eq!(super::common::values(a), super::common::values(b), "{what}");
}

struct Fixture {
    first: Layer,
    second: Layer,
    third: Layer,
    x: Var,
    random: Random,
}

impl Fixture {
    fn new() -> Self {
        let mut random = Random::new(31);
        let layer = |shape, random: &mut Random| Layer::random(shape, random);
        Self {
            first: layer(conv3x3(3, 16, 1), &mut random),
            second: layer(conv3x3(16, 16, 1), &mut random),
            third: layer(conv3x3(16, 16, 1), &mut random),
            x: random.var((4, 3, 6, 5)),
            random,
        }
    }

    fn images(&self) -> FeatureMap {
        FeatureMap::with_kernels(&self.x, Some(kernels())).unwrap()
    }

    /// Gradients of the chain of the three layers.
    fn chain(&self, upstream: &Tensor) -> Vec<Tensor> {
        self.backward(&self.chain_loss(upstream))
    }

    fn chain_loss(&self, upstream: &Tensor) -> Tensor {
        let a = self.first.train(&self.images(), Shortcut::None);
        let b = self.second.train(&a, Shortcut::None);
        loss(&self.third.train(&b, Shortcut::Identity(&a)).to_tensor().unwrap(), upstream)
    }

    fn backward(&self, loss: &Tensor) -> Vec<Tensor> {
        let grads = loss.backward().unwrap();
        let mut all = vec![grads.get(&self.x).unwrap().clone()];
        for layer in [&self.first, &self.second, &self.third] {
            for (_, parameter) in layer.parameters() {
                all.extend(grads.get(parameter).cloned());
            }
        }
        all
    }

    fn upstream(&mut self) -> Tensor {
        self.random.tensor((4, 16, 6, 5))
    }
}

fn assert_all_same(what: &str, a: &[Tensor], b: &[Tensor]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert_same(what, a, b);
    }
}

#[test]
fn several_forwards_may_precede_a_backward() {
    let mut fixture = Fixture::new();
    let (u, v) = (fixture.upstream(), fixture.upstream());
    let (alone_u, alone_v) = (fixture.chain(&u), fixture.chain(&v));
    let (loss_u, loss_v) = (fixture.chain_loss(&u), fixture.chain_loss(&v));
    assert_all_same("second", &fixture.backward(&loss_v), &alone_v);
    assert_all_same("first", &fixture.backward(&loss_u), &alone_u);
}

#[test]
fn dropped_forwards_and_interleaved_evaluation_have_no_effect() {
    let mut fixture = Fixture::new();
    let u = fixture.upstream();
    let alone = fixture.chain(&u);
    let pending = fixture.chain_loss(&u);
    drop(fixture.chain_loss(&u));
    for tracked in [false, true] {
        fixture.first.try_forward(&fixture.images(), Shortcut::None, true, Mode::Eval, tracked).unwrap();
    }
    assert_all_same("after a dropped forward", &fixture.backward(&pending), &alone);
    assert_all_same("next step", &fixture.chain(&u), &alone);
}

#[test]
fn a_graph_may_be_walked_twice() {
    let mut fixture = Fixture::new();
    let upstream = fixture.upstream();
    let loss = fixture.chain_loss(&upstream);
    let first = fixture.backward(&loss);
    assert_all_same("second walk", &fixture.backward(&loss), &first);
}

/// A feature map with readers of every kind, on the vector kernels or on Candle's own operations.
fn many_readers(
    fixture: &Fixture,
    kernels: Option<VectorKernels>,
    upstream: &[Tensor; 2],
) -> (Tensor, Vec<Tensor>) {
    let dtype = if kernels.is_some() { DType::F32 } else { DType::F64 };
    let layers = [&fixture.first, &fixture.second, &fixture.third].map(|layer| layer.to_dtype(dtype));
    let x = Var::from_tensor(&fixture.x.to_dtype(dtype).unwrap().copy().unwrap()).unwrap();
    let a = layers[0].train(&FeatureMap::with_kernels(&x, kernels).unwrap(), Shortcut::None);
    let unused = layers[1].train(&a, Shortcut::None);
    let b = layers[1].train(&a, Shortcut::Identity(&a));
    let c = conv2d(&a, &layers[2].weight, layers[2].shape).unwrap();
    let d = layers[2].train(&b, Shortcut::Identity(&c));
    let pooled = a.max_pool(2, 1, 0).unwrap().global_avg_pool().unwrap();
    let total = [
        loss(&d.to_tensor().unwrap(), &upstream[0]),
        loss(&a.to_tensor().unwrap(), &upstream[1]),
        pooled.sqr().unwrap().sum_all().unwrap(),
        a.global_avg_pool().unwrap().sum_all().unwrap(),
    ];
    let total = total.into_iter().reduce(|a, b| (a + b).unwrap()).unwrap();
    drop(unused);
    let grads = total.backward().unwrap();
    let mut all = vec![grads.get(&x).unwrap().clone()];
    for layer in &layers {
        all.extend(layer.parameters().map(|(_, parameter)| grads.get(parameter).unwrap().clone()));
    }
    (total, all)
}

#[test]
fn gradients_of_many_readers_add_up() {
    let mut fixture = Fixture::new();
    let upstream = [fixture.upstream(), fixture.upstream()];
    let (expected_loss, expected) = many_readers(&fixture, None, &upstream);
    for (name, kernels) in super::all_kernels() {
        let (loss, grads) = many_readers(&fixture, Some(kernels), &upstream);
        assert_close(name, &loss, &expected_loss, 1e-5);
        for (index, (ours, expected)) in grads.iter().zip(&expected).enumerate() {
            assert_close(&format!("gradient {index}, {name}"), ours, expected, 1e-4);
        }
    }
}

#[test]
fn gradients_flow_only_to_tracked_tensors() {
    let mut fixture = Fixture::new();
    let upstream = fixture.upstream();
    let all = fixture.chain(&upstream);
    // A frozen first layer and untracked images.
    let images = FeatureMap::with_kernels(&fixture.x.detach(), Some(kernels())).unwrap();
    let a = fixture.first.try_forward(&images, Shortcut::None, true, Mode::Train, false).unwrap();
    let b = fixture.second.train(&a, Shortcut::None);
    let c = fixture.third.train(&b, Shortcut::Identity(&a)).to_tensor().unwrap();
    let grads = loss(&c, &upstream).backward().unwrap();
    assert!(grads.get(&fixture.x).is_none() && grads.get(&fixture.first.weight).is_none());
    assert_same("second layer", grads.get(&fixture.second.weight).unwrap(), &all[4]);

    // A frozen middle layer propagates gradients.
    let a = fixture.first.train(&fixture.images(), Shortcut::None);
    let b = fixture.second.try_forward(&a, Shortcut::None, true, Mode::Train, false).unwrap();
    let c = fixture.third.train(&b, Shortcut::Identity(&a)).to_tensor().unwrap();
    let grads = loss(&c, &upstream).backward().unwrap();
    assert!(grads.get(&fixture.second.weight).is_none());
    assert_same("images", grads.get(&fixture.x).unwrap(), &all[0]);
    assert_same("first layer", grads.get(&fixture.first.weight).unwrap(), &all[1]);

    // A frozen kernel with a tracked norm, and vice versa.
    let layer = &fixture.second;
    for frozen_kernel in [true, false] {
        let pick = |var: &Var, frozen: bool| if frozen { var.detach() } else { var.as_tensor().clone() };
        let norm = crate::ConvNorm {
            shape: layer.shape,
            weight: &pick(&layer.weight, frozen_kernel),
            gamma: &pick(&layer.gamma, !frozen_kernel),
            beta: &pick(&layer.beta, !frozen_kernel),
            running_mean: &layer.running_mean,
            running_var: &layer.running_var,
            eps: 1e-5,
            momentum: 0.1,
        };
        let a = fixture.first.train(&fixture.images(), Shortcut::None);
        let b = norm.forward(&a, Shortcut::None, true, Mode::Train).unwrap();
        let c = fixture.third.train(&b, Shortcut::Identity(&a)).to_tensor().unwrap();
        let grads = loss(&c, &upstream).backward().unwrap();
        assert_eq!(grads.get(&layer.weight).is_some(), !frozen_kernel);
        assert_eq!(grads.get(&layer.beta).is_some(), frozen_kernel);
        let (var, index) = if frozen_kernel { (&layer.beta, 6) } else { (&layer.weight, 4) };
        assert_same("tracked part", grads.get(var).unwrap(), &all[index]);
    }
}

/// Images may be the result of other operations, of any strides.
#[test]
fn images_may_come_from_a_graph() {
    let mut fixture = Fixture::new();
    let upstream = fixture.upstream();
    let turned = Var::from_tensor(&fixture.x.transpose(2, 3).unwrap().contiguous().unwrap()).unwrap();
    let images = turned.transpose(2, 3).unwrap();
    let expected = fixture.chain(&upstream);
    for padded_channels in [3, 7] {
        let zeros = Tensor::zeros((4, padded_channels - 3, 6, 5), DType::F32, images.device()).unwrap();
        let images =
            if padded_channels > 3 { Tensor::cat(&[&images, &zeros], 1).unwrap() } else { images.clone() };
        let map = FeatureMap::with_kernels(&images, Some(kernels())).unwrap();
        let layer = Layer::random(conv3x3(padded_channels, 16, 1), &mut Random::new(5));
        let weight = fixture.first.weight.pad_with_zeros(1, 0, padded_channels - 3).unwrap();
        layer.weight.set(&weight.detach().contiguous().unwrap()).unwrap();
        layer.gamma.set(&fixture.first.gamma).unwrap();
        layer.beta.set(&fixture.first.beta).unwrap();
        let a = layer.train(&map, Shortcut::None);
        let b = fixture.second.train(&a, Shortcut::None);
        let c = fixture.third.train(&b, Shortcut::Identity(&a)).to_tensor().unwrap();
        let grads = loss(&c, &upstream).backward().unwrap();
        let ours = grads.get(&turned).unwrap().transpose(2, 3).unwrap();
        assert_close("images", &ours, &expected[0], 1e-5);
    }
}
