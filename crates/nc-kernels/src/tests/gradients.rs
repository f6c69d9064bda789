//! Gradients against finite differences.

use candle_core::{DType, Tensor, Var};

use super::common::Random;
use super::{Layer, conv3x3, loss};
use crate::feature_map::VectorKernels;
use crate::{FeatureMap, Mode, Shortcut};

/// A stem, a downsampling block and a plain block; the loss is linear in the pooled features.
struct Network {
    layers: Vec<Layer>,
    x: Var,
    upstream: Tensor,
    kernels: Option<VectorKernels>,
}

impl Network {
    fn new(dtype: DType, kernels: Option<VectorKernels>) -> Self {
        let random = &mut Random::new(21);
        let shapes =
            [conv3x3(3, 8, 1), conv3x3(8, 12, 2), conv3x3(12, 12, 1), conv3x3(12, 12, 1), conv3x3(12, 12, 1)];
        let layers = shapes.map(|shape| Layer::random(shape, random).to_dtype(dtype)).into();
        let x = Var::from_tensor(&random.tensor((5, 3, 7, 6)).to_dtype(dtype).unwrap()).unwrap();
        let upstream = random.tensor((5, 12)).to_dtype(dtype).unwrap();
        Self { layers, x, upstream, kernels }
    }

    fn loss(&self, mode: Mode) -> Tensor {
        let run = |layer: usize, x: &FeatureMap, shortcut: Shortcut<'_>| {
            self.layers[layer].try_forward(x, shortcut, true, mode, true).unwrap()
        };
        let x = FeatureMap::with_kernels(&self.x, self.kernels).unwrap();
        let stem = run(0, &x, Shortcut::None);
        let hidden = run(1, &stem, Shortcut::None);
        let first = run(2, &hidden, Shortcut::Subsample(&stem, 2));
        let hidden = run(3, &first, Shortcut::None);
        let second = run(4, &hidden, Shortcut::Identity(&first));
        loss(&second.global_avg_pool().unwrap(), &self.upstream)
    }

    fn variables(&self) -> Vec<(String, &Var)> {
        let mut all = vec![("x".to_owned(), &self.x)];
        for (index, layer) in self.layers.iter().enumerate() {
            all.extend(layer.parameters().map(|(name, var)| (format!("{name} {index}"), var)));
        }
        all
    }

    /// Compares the derivative along a random direction of every variable, of this network or of `other` with the same
    /// variables, with a central difference of this network's loss.
    fn check(&self, other: &Self, mode: Mode, bound: f64) {
        const STEP: f64 = 1e-6;
        let value = || self.loss(mode).to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap();
        let grads = other.loss(mode).backward().unwrap();
        let random = &mut Random::new(22);
        for ((name, var), (_, theirs)) in self.variables().into_iter().zip(other.variables()) {
            let direction = random.tensor(var.shape());
            let analytic = loss(grads.get(theirs).unwrap(), &direction).to_dtype(DType::F64).unwrap();
            let analytic = analytic.to_scalar::<f64>().unwrap();
            let origin = var.as_tensor().copy().unwrap();
            let step = (direction.to_dtype(var.dtype()).unwrap() * STEP).unwrap();
            // Training mode updates the running statistics but does not read them.
            var.set(&(&origin + &step).unwrap()).unwrap();
            let after = value();
            var.set(&(&origin - &step).unwrap()).unwrap();
            let before = value();
            var.set(&origin).unwrap();
            let numeric = (after - before) / (2.0 * STEP);
            let error = (analytic - numeric).abs() / (1.0 + numeric.abs());
            assert!(error < bound, "{name} {mode:?}: {analytic} against {numeric}");
        }
    }
}

#[test]
fn composed_layers_match_finite_differences() {
    for mode in [Mode::Train, Mode::Eval] {
        let network = Network::new(DType::F64, None);
        network.check(&network, mode, 1e-6);
    }
}

/// The difference is computed in f64, where a step can be small enough that no ReLU switches.
#[test]
fn fused_layers_match_finite_differences() {
    for mode in [Mode::Train, Mode::Eval] {
        for (_, kernels) in super::all_kernels() {
            let fused = Network::new(DType::F32, Some(kernels));
            Network::new(DType::F64, None).check(&fused, mode, 1e-4);
        }
    }
}

/// Both paths give the same outputs and gradients.
#[test]
fn fused_network_equals_composed_network() {
    for mode in [Mode::Train, Mode::Eval] {
        let precise = Network::new(DType::F64, None);
        let expected = precise.loss(mode).backward().unwrap();
        for (kernel_name, kernels) in super::all_kernels() {
            let fused = Network::new(DType::F32, Some(kernels));
            let ours = fused.loss(mode).backward().unwrap();
            for ((name, a), (_, b)) in fused.variables().into_iter().zip(precise.variables()) {
                let what = format!("{name} {mode:?} {kernel_name}");
                super::common::assert_close(&what, ours.get(a).unwrap(), expected.get(b).unwrap(), 1e-4);
            }
        }
    }
}
