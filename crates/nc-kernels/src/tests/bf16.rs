//! Convolutions in bf16: against an f64 reference on the same rounded operands, and the same bits on every instruction set.

use candle_core::{Device, Tensor, Var};
use half::bf16;

use super::common::{Random, assert_close};
use super::{all_bf16_kernels, conv3x3, loss, naive, random_problem};
use crate::feature_map::VectorKernels;
use crate::{ConvShape, FeatureMap, conv2d};

/// Relative error of a gradient in f32.
const SUMS: f64 = 2e-6;

fn rounded(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&value| bf16::from_f32(value).to_f32()).collect()
}

fn vec(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// Asserts that values are sums in f32 rounded to bf16, which has eight bits.
fn assert_rounded(what: &str, ours: &[f32], exact: &[f64]) {
    let largest = exact.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    for (ours, exact) in ours.iter().zip(exact) {
        let error = (f64::from(*ours) - exact).abs();
        assert!(error <= exact.abs() / 256.0 + SUMS * largest, "{what}: {ours} for {exact}");
    }
}

fn check(shape: ConvShape, dims: [usize; 4], random: &mut Random) {
    let (h, w) = shape.output_size(dims[2], dims[3]).unwrap();
    let out = (dims[0], shape.out_channels, h, w);
    let (x, weight) = (random.var(&dims), random.var(&shape.weight_dims()));
    let dy = random.tensor(out);
    let [x_, weight_, dy_] = [&*x, &*weight, &dy].map(|tensor| rounded(&vec(tensor)));
    let naive = naive::convolve(shape, dims, &x_, &weight_, &dy_);
    let tensor =
        |values: Vec<f64>, like: &Tensor| Tensor::from_vec(values, like.shape(), &Device::Cpu).unwrap();
    let mut first: Option<[Vec<f32>; 3]> = None;
    for (name, kernels) in all_bf16_kernels() {
        let what = |part| format!("{part} of {shape:?} on {dims:?}, {name}");
        let map = FeatureMap::with_kernels(&x, Some(kernels)).unwrap();
        let y = conv2d(&map, &weight, shape).unwrap().to_tensor().unwrap();
        let grads = loss(&y, &dy).backward().unwrap();
        let [dx, dw] = [&x, &weight].map(|var: &Var| grads.get(var).unwrap().clone());
        assert_rounded(&what("y"), &vec(&y), &naive.y);
        assert_rounded(&what("dx"), &vec(&dx), &naive.dx);
        assert_close(&what("dw"), &dw, &tensor(naive.dw.clone(), &weight), SUMS);
        let all = [vec(&y), vec(&dx), vec(&dw)];
        assert!(first.get_or_insert_with(|| all.clone()) == &all, "{}", what("bits"));
    }
}

#[test]
fn random_shapes_match_the_reference() {
    let random = &mut Random::new(21);
    for _ in 0..150 {
        let (shape, dims) = random_problem(random);
        if shape.has_kernels() {
            check(shape, dims, random);
        }
    }
}

/// Every row width covers every size and overlap of a tile, and odd numbers of pixels and channels.
#[test]
fn every_width_matches_the_reference() {
    let random = &mut Random::new(22);
    for width in (1..=20).chain([31, 32, 33]) {
        for stride in [1, 2] {
            for (in_channels, out_channels) in [(1, 16), (5, 20), (24, 24)] {
                check(conv3x3(in_channels, out_channels, stride), [2, in_channels, 3, width], random);
            }
        }
    }
}

/// Several output blocks side by side, images paired together, and a gradient computed in one pass over all images.
#[test]
fn blocks_of_channels_match_the_reference() {
    let random = &mut Random::new(23);
    for (in_channels, out_channels, width) in
        [(40, 32, 8), (16, 48, 8), (33, 64, 4), (16, 112, 3), (16, 64, 1), (96, 128, 4)]
    {
        for stride in [1, 2] {
            check(conv3x3(in_channels, out_channels, stride), [9, in_channels, 3, width], random);
        }
    }
}

/// Every instruction set rounds as `half` does, NaN and infinity included.
#[test]
fn values_are_rounded_as_by_half() {
    let random = &mut Random::new(24);
    let bits = (0..1000).map(|_| f32::from_bits(random.bits() as u32)).filter(|value| value.is_normal());
    let special =
        [f32::NAN, f32::from_bits(0x7f80_0001), f32::INFINITY, f32::NEG_INFINITY, f32::MAX, -0.0, 1.0];
    let ties = [0x3f80_8000, 0x3f81_8000, 0x3f80_7fff, 0x3f80_8001].map(f32::from_bits);
    let mut x: Vec<f32> = bits.chain(special).chain(ties).collect();
    x.resize(x.len().next_multiple_of(16), 0.0);
    for (name, kernels) in all_bf16_kernels() {
        let VectorKernels::Bf16(kernels) = kernels else { unreachable!() };
        // 0 * 1 + x, rounded.
        let (one, mut rounded) = ([1.0; 16], vec![bf16::ZERO; x.len()]);
        for (x, rounded) in x.chunks(16).zip(rounded.chunks_mut(16)) {
            kernels.normalise(&[bf16::ZERO; 16], &one, x, None, false, rounded);
        }
        for (x, rounded) in x.iter().zip(&rounded) {
            let expected = bf16::from_f32(*x);
            assert!(rounded == &expected || rounded.is_nan() && x.is_nan(), "{x} became {rounded}, {name}");
        }
    }
}
