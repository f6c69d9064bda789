//! Calls that make no sense say so.

#[macro_use]
#[path = "../../../../tests/worded.rs"]
mod worded;

use candle_core::{DType, Device, Tensor};

use super::common::Random;
use super::{Layer, conv3x3, kernels};
use crate::{ConvShape, Error, FeatureMap, Mode, Shortcut, conv2d};

fn zeros(dims: &[usize]) -> Tensor {
    Tensor::zeros(dims, DType::F32, &Device::Cpu).unwrap()
}

fn message<T: std::fmt::Debug>(result: candle_core::Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn one_value_per_channel() {
    let layer = Layer::random(conv3x3(3, 4, 2), &mut Random::new(1));
    for kernels in [Some(kernels()), None] {
        let x = FeatureMap::with_kernels(&zeros(&[1, 3, 2, 2]), kernels).unwrap();
        let train = layer.try_forward(&x, Shortcut::None, true, Mode::Train, true);
        assert!(message(train).contains("N*H*W = 1"));
        layer.try_forward(&x, Shortcut::None, true, Mode::Eval, true).unwrap();
    }
}

#[test]
fn shapes_that_do_not_fit() {
    assert!(message(FeatureMap::from_images(&zeros(&[3, 4, 4]))).contains("[3, 4, 4]"));
    assert!(message(FeatureMap::from_images(&zeros(&[0, 3, 4, 4]))).contains("[0, 3, 4, 4]"));
    let x = FeatureMap::from_images(&zeros(&[2, 3, 4, 4])).unwrap();
    let shape = conv3x3(3, 4, 1);
    let conv = |weight: &[usize], shape| message(conv2d(&x, &zeros(weight), shape));
    assert!(conv(&[4, 5, 3, 3], conv3x3(5, 4, 1)).contains("convolution of 5 channels"));
    assert!(conv(&[4, 3, 1, 3], shape).contains("weight has shape [4, 3, 1, 3], expected [4, 3, 3, 3]"));
    let large = ConvShape { kernel: 7, ..shape };
    assert!(conv(&[4, 3, 7, 7], large).contains("does not fit an image of 4x4"));
    for wrong in [
        ConvShape { groups: 2, ..shape },
        ConvShape { groups: 0, ..shape },
        ConvShape { stride: 0, ..shape },
        ConvShape { kernel: 0, ..shape },
        ConvShape { padding: 3, ..shape },
        ConvShape { out_channels: 0, ..shape },
    ] {
        assert!(conv(&[4, 3, 3, 3], wrong).contains("is not a convolution"), "{wrong:?}");
    }
}

#[test]
fn number_types_that_do_not_fit() {
    let x = FeatureMap::from_images(&zeros(&[2, 3, 4, 4])).unwrap();
    let weight = zeros(&[4, 3, 3, 3]).to_dtype(DType::F64).unwrap();
    let said = message(conv2d(&x, &weight, conv3x3(3, 4, 1)));
    assert!(said.starts_with("weight is f64 on cpu, the images are f32 on cpu"), "{said}");
    let layer = Layer::random(conv3x3(3, 3, 1), &mut Random::new(1));
    let wide = FeatureMap::from_images(&zeros(&[2, 3, 4, 4]).to_dtype(DType::F64).unwrap()).unwrap();
    let added = layer.try_forward(&x, Shortcut::Identity(&wide), true, Mode::Train, true);
    assert!(message(added).starts_with("shortcut is f64 on cpu, the images are f32 on cpu"));
}

#[test]
fn shortcuts_that_do_not_fit() {
    let layer = Layer::random(conv3x3(3, 8, 1), &mut Random::new(1));
    let x = FeatureMap::from_images(&zeros(&[2, 3, 4, 4])).unwrap();
    let map = |dims: &[usize]| FeatureMap::from_images(&zeros(dims)).unwrap();
    let run = |shortcut: Shortcut<'_>| message(layer.try_forward(&x, shortcut, true, Mode::Train, true));
    assert!(run(Shortcut::Identity(&map(&[2, 8, 4, 5]))).contains("(2, 8, 4, 5)"));
    assert!(run(Shortcut::Identity(&map(&[2, 6, 4, 4]))).contains("(2, 6, 4, 4)"));
    for dims in [[2, 7, 8, 8], [2, 10, 8, 8], [2, 4, 9, 8], [1, 4, 8, 8]] {
        assert!(run(Shortcut::Subsample(&map(&dims), 2)).contains("subsampled by 2"), "{dims:?}");
    }
    assert!(run(Shortcut::Subsample(&map(&[2, 4, 4, 4]), 0)).contains("subsampled by 0"));
}

#[test]
fn parameters_that_do_not_fit() {
    let mut layer = Layer::random(conv3x3(3, 8, 1), &mut Random::new(1));
    layer.gamma = Random::new(2).var(7);
    let x = FeatureMap::from_images(&zeros(&[2, 3, 4, 4])).unwrap();
    let error = message(layer.try_forward(&x, Shortcut::None, true, Mode::Train, true));
    assert!(error.contains("gamma has shape [7], expected [8]"), "{error}");
}

#[test]
fn every_error_is_worded_as_it_is_kept() {
    let pooling = |reason| Error::Pooling { kernel: 3, stride: 0, padding: 1, reason };
    assert_worded!(
        Error {
            Channels,
            ImageTooSmall,
            Shape,
            Parameter,
            Storage,
            Shortcut,
            OneValuePerChannel,
            UnknownInstructionSet,
            UnsupportedInstructionSet,
            Threads,
            NotImages,
            Pooling,
        },
        vec![
            ("another layer's features", Error::Channels { expected: 64, found: 3 }),
            ("an image of few pixels", Error::ImageTooSmall { kernel: 7, padding: 1, height: 4, width: 4 }),
            ("a stride of 0", ConvShape { stride: 0, ..conv3x3(3, 4, 1) }.validate().unwrap_err()),
            (
                "another layer's weight",
                Error::Parameter { name: "weight", expected: vec![4, 3, 3, 3], found: vec![4, 3, 1, 3] }
            ),
            (
                "another block's shortcut",
                Error::Shortcut { expected: (2, 8, 4, 4), found: (2, 7, 8, 8), stride: 2 }
            ),
            (
                "a weight in double precision",
                Error::Storage {
                    name: "weight",
                    expected: "f32 on cuda:0".into(),
                    found: "f64 on cpu".into()
                }
            ),
            ("an image of one pixel", Error::OneValuePerChannel),
            ("NC_KERNELS_ISA=sse", Error::UnknownInstructionSet("sse".into())),
            ("NC_KERNELS_ISA=avx512 on an older processor", Error::UnsupportedInstructionSet("avx512")),
            ("threads that run already", Error::Threads { requested: 4, running: 2 }),
            ("a matrix", Error::NotImages(vec![128, 64])),
            ("windows that stand still", pooling("kernel and stride must be at least 1")),
        ]
    );
}
