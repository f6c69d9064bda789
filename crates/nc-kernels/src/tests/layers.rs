//! The fused layer against Candle's own operations in f64: outputs, gradients, running statistics.

use candle_core::{DType, Tensor, Var};

use super::common::{Random, assert_close};
use super::{Layer, all_bf16_kernels, all_kernels, conv3x3, loss, random_problem};
use crate::feature_map::VectorKernels;
use crate::{ConvShape, FeatureMap, Mode, Shortcut};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    None,
    Identity,
    Subsample,
}

struct Case {
    layer: Layer,
    x: Var,
    shortcut: Var,
    kind: Kind,
    relu: bool,
    mode: Mode,
    upstream: Tensor,
}

struct Outcome {
    out: Tensor,
    grads: Vec<(&'static str, Tensor)>,
    running: [Tensor; 2],
}

impl Case {
    fn random(shape: ConvShape, dims: [usize; 4], kind: Kind, random: &mut Random) -> Self {
        let (h, w) = shape.output_size(dims[2], dims[3]).unwrap();
        let c = shape.out_channels;
        let shortcut = match kind {
            Kind::Subsample => [dims[0], (c - 2 * random.below(c / 2)).max(1), 2 * h - 1, 2 * w],
            _ => [dims[0], c, h, w],
        };
        Self {
            layer: Layer::random(shape, random),
            x: random.var(&dims),
            shortcut: random.var(&shortcut),
            kind,
            relu: random.below(3) > 0,
            mode: random.pick(&[Mode::Train, Mode::Train, Mode::Eval]),
            upstream: random.tensor((dims[0], c, h, w)),
        }
    }

    /// Runs the layer after another one, so that its input and shortcut are raw outputs that it must normalise.
    fn run(&self, before: &Layer, kernels: Option<VectorKernels>) -> Outcome {
        let dtype = if kernels.is_some() { DType::F32 } else { DType::F64 };
        let (layer, before) = (self.layer.to_dtype(dtype), before.to_dtype(dtype));
        let var = |v: &Var| Var::from_tensor(&v.to_dtype(dtype).unwrap().copy().unwrap()).unwrap();
        let (x, shortcut) = (var(&self.x), var(&self.shortcut));
        let map = |v: &Var| FeatureMap::with_kernels(v, kernels).unwrap();
        let hidden = before.train(&map(&x), Shortcut::None);
        let side = map(&shortcut);
        let side = match self.kind {
            Kind::None => Shortcut::None,
            Kind::Identity => Shortcut::Identity(&side),
            Kind::Subsample => Shortcut::Subsample(&side, 2),
        };
        let out = layer.try_forward(&hidden, side, self.relu, self.mode, true).unwrap().to_tensor().unwrap();
        let store = loss(&out, &self.upstream).backward().unwrap();
        let mut grads = vec![("x", store.get(&x).unwrap().clone())];
        if self.kind != Kind::None {
            grads.push(("shortcut", store.get(&shortcut).unwrap().clone()));
        }
        for layer in [&before, &layer] {
            for (name, parameter) in layer.parameters() {
                grads.push((name, store.get(parameter).unwrap().clone()));
            }
        }
        let running = [&layer.running_mean, &layer.running_var].map(|var| var.as_tensor().copy().unwrap());
        Outcome { out, grads, running }
    }

    fn check(&self, random: &mut Random) {
        let channels = self.layer.shape.in_channels;
        let before =
            Layer::random(ConvShape { kernel: 1, padding: 0, ..conv3x3(channels, channels, 1) }, random);
        let expected = self.run(&before, None);
        let in_f32 = all_kernels().into_iter().map(|(name, kernels)| (name, kernels, 1e-5));
        // The error of all rounding in bf16; `step` checks where values are rounded.
        let in_bf16 = all_bf16_kernels().into_iter().map(|(name, kernels)| (name, kernels, 2e-2));
        for (name, kernels, bound) in in_f32.chain(in_bf16) {
            let what = format!(
                "{:?} {:?} relu {} {:?} on {:?}, {name}",
                self.layer.shape,
                self.kind,
                self.relu,
                self.mode,
                self.x.dims()
            );
            let ours = self.run(&before, Some(kernels));
            assert_close(&format!("output of {what}"), &ours.out, &expected.out, bound);
            for (ours, expected) in ours.running.iter().zip(&expected.running) {
                assert_close(&format!("running statistics of {what}"), ours, expected, bound);
            }
            let norm: f64 = expected.grads.iter().map(|(_, g)| norm(g)).fold(0.0, f64::max);
            for ((part, ours), (_, expected)) in ours.grads.iter().zip(&expected.grads) {
                // A gradient that is zero up to rounding (few values per channel) has no relative error.
                let error = norm_of_difference(ours, expected);
                let bound = 10.0 * bound * self::norm(expected) + bound * norm;
                assert!(error <= bound, "gradient of {part} of {what}: {error:.2e} > {bound:.2e}");
            }
        }
    }
}

fn norm(t: &Tensor) -> f64 {
    super::common::values(t).iter().map(|x| x * x).sum::<f64>().sqrt()
}

fn norm_of_difference(a: &Tensor, b: &Tensor) -> f64 {
    norm(&(a.to_dtype(DType::F64).unwrap() - b.to_dtype(DType::F64).unwrap()).unwrap())
}

#[test]
fn random_layers_match_composed_layers() {
    let random = &mut Random::new(11);
    for round in 0..60 {
        let (shape, dims) = random_problem(random);
        let kind = [Kind::None, Kind::Identity, Kind::Subsample][round % 3];
        // Shapes with ill-conditioned batch statistics prove nothing about layers.
        let (h, w) = shape.output_size(dims[2], dims[3]).unwrap();
        if dims[0] * h * w < 8 {
            continue;
        }
        Case::random(shape, dims, kind, random).check(random);
    }
}

#[test]
fn resnet_layers_match_composed_layers() {
    let random = &mut Random::new(12);
    for kind in [Kind::None, Kind::Identity, Kind::Subsample] {
        for (shape, side) in [(conv3x3(16, 32, 2), 32), (conv3x3(32, 32, 1), 16), (conv3x3(3, 16, 1), 32)] {
            Case::random(shape, [9, shape.in_channels, side, side], kind, random).check(random);
        }
    }
}

/// Evaluation without gradients is fused into one pass and must match evaluation with gradients.
#[test]
fn evaluation_is_the_same_without_gradients() {
    let random = &mut Random::new(13);
    for round in 0..30 {
        let (shape, dims) = random_problem(random);
        let kind = [Kind::None, Kind::Identity, Kind::Subsample][round % 3];
        let case = Case::random(shape, dims, kind, random);
        let in_f32 = all_kernels().into_iter().map(|(name, kernels)| (name, kernels, 1e-6));
        let in_bf16 = all_bf16_kernels().into_iter().map(|(name, kernels)| (name, kernels, 1e-2));
        for (name, kernels, bound) in in_f32.chain(in_bf16) {
            let x = FeatureMap::with_kernels(&case.x.detach(), Some(kernels)).unwrap();
            let side = FeatureMap::with_kernels(&case.shortcut.detach(), Some(kernels)).unwrap();
            let side = match kind {
                Kind::None => Shortcut::None,
                Kind::Identity => Shortcut::Identity(&side),
                Kind::Subsample => Shortcut::Subsample(&side, 2),
            };
            let run = |tracked| {
                case.layer.try_forward(&x, side, case.relu, Mode::Eval, tracked).unwrap().to_tensor().unwrap()
            };
            let (with, without) = (run(true), run(false));
            assert!(with.track_op() && !without.track_op());
            assert_close(&format!("{shape:?} {kind:?} {name}"), &without, &with, bound);
        }
    }
}

/// Otherwise a diverged run would continue with features of zeros.
#[test]
fn nan_propagates() {
    let mut random = Random::new(11);
    let shape = conv3x3(16, 32, 1);
    let layer = Layer::random(shape, &mut random);
    let x = random.tensor(&[2, 16, 5, 5]).affine(1.0, f64::NAN).unwrap();
    let all = all_kernels().into_iter().chain(all_bf16_kernels());
    let all = all.map(|(name, kernels)| (name, Some(kernels)));
    for (name, kernels) in all.chain([("Candle's own", None)]) {
        for mode in [Mode::Train, Mode::Eval] {
            let map = FeatureMap::with_kernels(&x, kernels).unwrap();
            let out = layer.try_forward(&map, Shortcut::None, true, mode, false).unwrap();
            for out in [out.clone(), out.max_pool(3, 2, 1).unwrap()] {
                let values = out.to_tensor().unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
                assert!(values.iter().all(|value| value.is_nan()), "{name}, {mode:?}");
            }
        }
    }
}
