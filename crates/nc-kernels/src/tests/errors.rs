//! Error messages of invalid calls.

#[path = "../../../../tests/refusals.rs"]
mod kept;

use candle_core::{DType, Device, Tensor};

use super::common::Random;
use super::{Layer, conv3x3, kernels};
use crate::{ConvShape, Error, FeatureMap, Mode, Shortcut, conv2d};

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap()
}

fn map(dims: &[usize]) -> FeatureMap {
    FeatureMap::from_images(&zeros(dims)).unwrap()
}

/// Adds an error of this crate, unwrapped from Candle's, which may end with a backtrace.
fn add<T>(told: &mut kept::Refusals, tried: impl std::fmt::Display, result: candle_core::Result<T>) {
    told.add(
        tried,
        result.map_err(|error| {
            std::io::Error::other(error.to_string().lines().next().unwrap_or_default().to_owned())
        }),
    );
}

#[test]
fn one_value_per_channel_is_an_error_in_training() {
    let layer = Layer::random(conv3x3(3, 4, 2), &mut Random::new(1));
    for kernels in [Some(kernels()), None] {
        let x = FeatureMap::with_kernels(&zeros(&[1, 3, 2, 2]), kernels).unwrap();
        let train = layer.try_forward(&x, Shortcut::None, true, Mode::Train, true);
        assert!(train.unwrap_err().to_string().contains("N*H*W = 1"));
        layer.try_forward(&x, Shortcut::None, true, Mode::Eval, true).unwrap();
    }
}

/// `UPDATE_SNAPSHOTS=1` rewrites the file.
#[test]
fn error_messages_match_the_snapshot() {
    let mut told = kept::Refusals::default();
    for dims in [&[3, 4, 4][..], &[0, 3, 4, 4]] {
        add(&mut told, format_args!("images of shape {dims:?}"), FeatureMap::from_images(&zeros(dims)));
    }
    let (x, shape) = (map(&[2, 3, 4, 4]), conv3x3(3, 4, 1));
    let weight = zeros(&[4, 3, 3, 3]);
    let conv = |dims: &[usize], shape| conv2d(&x, &zeros(dims), shape);
    add(&mut told, "a feature map with the wrong number of channels", conv(&[4, 5, 3, 3], conv3x3(5, 4, 1)));
    add(&mut told, "a weight of the wrong shape", conv(&[4, 3, 1, 3], shape));
    add(&mut told, "a kernel larger than the image", conv(&[4, 3, 7, 7], ConvShape { kernel: 7, ..shape }));
    for (tried, wrong) in [
        ("groups that do not divide the channels", ConvShape { groups: 2, ..shape }),
        ("0 groups", ConvShape { groups: 0, ..shape }),
        ("a stride of 0", ConvShape { stride: 0, ..shape }),
        ("a kernel of 0", ConvShape { kernel: 0, ..shape }),
        ("padding as large as the kernel", ConvShape { padding: 3, ..shape }),
        ("0 output channels", ConvShape { out_channels: 0, ..shape }),
    ] {
        add(&mut told, tried, conv2d(&x, &weight, wrong));
    }
    add(&mut told, "a weight in f64", conv2d(&x, &weight.to_dtype(DType::F64).unwrap(), shape));

    let layer = Layer::random(conv3x3(3, 8, 1), &mut Random::new(1));
    let mut run = |tried: &str, layer: &Layer, shortcut: Shortcut<'_>| {
        add(&mut told, tried, layer.try_forward(&x, shortcut, true, Mode::Train, true));
    };
    let wide = FeatureMap::from_images(&zeros(&[2, 8, 4, 4]).to_dtype(DType::F64).unwrap()).unwrap();
    run("a shortcut in f64", &layer, Shortcut::Identity(&wide));
    for dims in [[2, 8, 4, 5], [2, 6, 4, 4]] {
        run(&format!("a shortcut of shape {dims:?}"), &layer, Shortcut::Identity(&map(&dims)));
    }
    for dims in [[2, 7, 8, 8], [2, 10, 8, 8], [2, 4, 9, 8], [1, 4, 8, 8]] {
        run(&format!("a subsampled shortcut of shape {dims:?}"), &layer, Shortcut::Subsample(&map(&dims), 2));
    }
    run("a shortcut subsampled by 0", &layer, Shortcut::Subsample(&map(&[2, 4, 4, 4]), 0));
    let gamma = Layer { gamma: Random::new(2).var(7), ..layer };
    run("a gamma of the wrong shape", &gamma, Shortcut::None);

    let reason = "kernel and stride must be at least 1";
    for (tried, error) in [
        ("batch norm over one value per channel", Error::OneValuePerChannel),
        ("NC_KERNELS_ISA=sse", Error::UnknownInstructionSet("sse".into())),
        ("NC_KERNELS_ISA=avx512 on a processor without it", Error::UnsupportedInstructionSet("avx512")),
        ("a second thread pool", Error::Threads { requested: 4, running: 2 }),
        ("pooling of stride 0", Error::Pooling { kernel: 3, stride: 0, padding: 1, reason }),
    ] {
        told.add::<(), _>(tried, Err(error));
    }
    told.assert_kept();
}
