//! Tests that select the kernels explicitly, whatever the processor's default.

mod bf16;
mod convolutions;
mod errors;
mod gpu;
mod gpu_resident;
mod gradients;
mod graph;
mod layers;
mod naive;
mod pooling;
mod statistics;
mod step;
mod threads;

#[path = "../../tests/common/mod.rs"]
mod common;

use candle_core::{Tensor, Var};
use common::Random;

use crate::feature_map::VectorKernels;
use crate::isa::{self, InstructionSet, SetKernels};
use crate::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

/// All sets supported by this processor, including AVX-512's tiles on AVX2 registers, and AVX-512 without the instructions
/// for bf16.
fn all_sets() -> Vec<(&'static str, SetKernels)> {
    let sets = InstructionSet::ALL.into_iter();
    let all = sets.filter_map(|set| Some((set.name(), set.kernels()?))).chain(further_sets());
    all.collect()
}

#[cfg(target_arch = "x86_64")]
fn further_sets() -> Vec<(&'static str, SetKernels)> {
    use crate::{kernels::Set, lanes};
    // SAFETY: used only if AVX2's own kernels are supported.
    const WIDE: Set<lanes::Avx2<true>> = unsafe { Set::new() };
    // SAFETY: used only if AVX-512's own kernels are supported.
    const PLAIN: Set<lanes::Avx512> = unsafe { Set::new() };
    let wide = ("avx512's tiles on avx2", SetKernels { f32: &WIDE, bf16: &WIDE });
    let plain = ("avx512 without bf16", SetKernels { f32: &PLAIN, bf16: &PLAIN });
    [(InstructionSet::Avx2, wide), (InstructionSet::Avx512, plain)]
        .into_iter()
        .filter_map(|(needs, set)| needs.kernels().map(|_| set))
        .collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn further_sets() -> Vec<(&'static str, SetKernels)> {
    vec![]
}

/// The kernels in f32 of all sets.
fn all_kernels() -> Vec<(&'static str, VectorKernels)> {
    all_sets().into_iter().map(|(name, set)| (name, VectorKernels::F32(set.f32))).collect()
}

/// The kernels in bf16 of all sets.
fn all_bf16_kernels() -> Vec<(&'static str, VectorKernels)> {
    all_sets().into_iter().map(|(name, set)| (name, VectorKernels::Bf16(set.bf16))).collect()
}

fn kernels() -> VectorKernels {
    VectorKernels::F32(isa::kernels().unwrap().f32)
}

/// A layer's parameters.
struct Layer {
    shape: ConvShape,
    weight: Var,
    gamma: Var,
    beta: Var,
    running_mean: Var,
    running_var: Var,
}

impl Layer {
    fn random(shape: ConvShape, random: &mut Random) -> Self {
        let channels = shape.out_channels;
        let fan_in = (shape.in_channels / shape.groups * shape.kernel * shape.kernel) as f64;
        let var = |t: candle_core::Result<Tensor>| Var::from_tensor(&t.unwrap()).unwrap();
        Self {
            shape,
            weight: var(random.tensor(&shape.weight_dims()) * fan_in.sqrt().recip()),
            gamma: var(random.tensor(channels).affine(0.3, 1.0)),
            beta: var(random.tensor(channels) * 0.3),
            running_mean: var(random.tensor(channels) * 0.2),
            running_var: var(random.tensor(channels).sqr().unwrap() + 0.5),
        }
    }

    /// A copy in another dtype; f64 takes the path of Candle's own operations.
    fn to_dtype(&self, dtype: candle_core::DType) -> Self {
        let convert = |var: &Var| Var::from_tensor(&var.to_dtype(dtype).unwrap().copy().unwrap()).unwrap();
        Self {
            shape: self.shape,
            weight: convert(&self.weight),
            gamma: convert(&self.gamma),
            beta: convert(&self.beta),
            running_mean: convert(&self.running_mean),
            running_var: convert(&self.running_var),
        }
    }

    fn parameters(&self) -> [(&'static str, &Var); 3] {
        [("weight", &self.weight), ("gamma", &self.gamma), ("beta", &self.beta)]
    }

    fn try_forward(
        &self,
        x: &FeatureMap,
        shortcut: Shortcut<'_>,
        relu: bool,
        mode: Mode,
        tracked: bool,
    ) -> candle_core::Result<FeatureMap> {
        let parameter = |var: &Var| if tracked { var.as_tensor().clone() } else { var.as_detached_tensor() };
        let layer = ConvNorm {
            shape: self.shape,
            weight: &parameter(&self.weight),
            gamma: &parameter(&self.gamma),
            beta: &parameter(&self.beta),
            running_mean: &self.running_mean,
            running_var: &self.running_var,
            eps: 1e-5,
            momentum: 0.1,
        };
        layer.forward(x, shortcut, relu, mode)
    }

    fn train(&self, x: &FeatureMap, shortcut: Shortcut<'_>) -> FeatureMap {
        self.try_forward(x, shortcut, true, Mode::Train, true).unwrap()
    }
}

/// A 3x3 convolution with padding 1.
fn conv3x3(in_channels: usize, out_channels: usize, stride: usize) -> ConvShape {
    ConvShape { in_channels, out_channels, kernel: 3, stride, padding: 1, groups: 1 }
}

/// A scalar whose gradient with respect to `out` is `upstream`.
fn loss(out: &Tensor, upstream: &Tensor) -> Tensor {
    (out * upstream.to_dtype(out.dtype()).unwrap()).unwrap().sum_all().unwrap()
}

/// A convolution with random kernel, stride, padding, groups and channels, and matching image dimensions.
fn random_problem(random: &mut Random) -> (ConvShape, [usize; 4]) {
    let kernel = random.pick(&[1, 3, 3, 3, 5, 7]);
    let stride = random.pick(&[1, 2]);
    let padding = if random.below(3) > 0 { kernel / 2 } else { random.below(kernel / 2 + 1) };
    let groups = random.pick(&[1, 1, 1, 1, 2, 3, 4]);
    let channels = |random: &mut Random| groups * (1 + random.below(40 / groups));
    let (in_channels, out_channels) = (channels(random), channels(random));
    let most_images = random.pick(&[1, 2, 3, 9]);
    let least = (kernel - 2 * padding).max(1);
    let side = |random: &mut Random| least + random.pick(&[0, 0, 1, 2, 3, 5, 6, 8, 13, 16, 17, 18, 31]);
    let (mut h, mut w) = (side(random), side(random));
    if h * w > 300 {
        h = least.max(3);
    }
    if random.below(8) == 0 {
        w = least;
    }
    let shape = ConvShape { in_channels, out_channels, kernel, stride, padding, groups };
    (shape, [1 + random.below(most_images), in_channels, h, w])
}
