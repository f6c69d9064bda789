//! Networks up to their features.

use candle_core::{DType, Device, Tensor};
use nc_models::{
    Backbone, ConvNormLayer, ConvShape, Error, NormalizedFeatures, ParamStore, Pass, ResNet, ResNetConfig,
};

use crate::support::values;

#[test]
fn depths_that_do_not_exist_are_refused() {
    for depth in [0, 2, 18, 21, 33] {
        let params = ParamStore::new(0, &Device::Cpu);
        let result = ResNet::new(ResNetConfig { depth, in_channels: 3, width: 1 }, &params.builder());
        assert!(matches!(result, Err(Error::Depth(found)) if found == depth));
    }
}

#[test]
fn convolutions_that_do_not_exist_are_refused() {
    let vb = ParamStore::new(0, &Device::Cpu).builder();
    for groups in [0, 3] {
        let shape = ConvShape { in_channels: 4, out_channels: 4, kernel: 3, stride: 1, padding: 1, groups };
        let error = ConvNormLayer::new(shape, true, &vb.pp("conv"), &vb.pp("norm")).err().unwrap();
        assert!(error.to_string().contains("the groups must divide the channels"), "{error}");
    }
}

/// Gives the images themselves as features.
struct Pixels(usize);

impl Backbone for Pixels {
    fn forward(&self, images: &Tensor, _: Pass) -> nc_models::Result<Tensor> {
        Ok(images.flatten_from(1)?)
    }
    fn feature_dim(&self) -> usize {
        self.0
    }
}

#[test]
fn features_are_normalised_as_batch_norm_1d_and_to_length_one() {
    let params = ParamStore::new(0, &Device::Cpu);
    let normalized = NormalizedFeatures::new(Pixels(2), &params.builder().pp("norm")).unwrap();
    let batch = Tensor::new(&[[1f32, 10.0], [3.0, 10.0], [5.0, 40.0]], &Device::Cpu).unwrap();
    let buffer = |name: &str| {
        let (_, var) = params.vars().into_iter().find(|(other, _)| other == name).unwrap();
        values(var.as_tensor())
    };
    let close = |found: &[f32], expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-5, "{found:?} {expected:?}");
        }
    };

    // Columns have means 3, 20 and biased variances 8/3, 200; rows become (-2/1.63299, -10/14.1421) and so on.
    let rows = values(&normalized.forward(&batch, Pass::TRAIN).unwrap());
    let unit = |x: f32, y: f32| [x / x.hypot(y), y / x.hypot(y)];
    let (a, b) = ((8f32 / 3.0).sqrt(), 200f32.sqrt());
    close(&rows, &[unit(-2.0 / a, -10.0 / b), unit(0.0, -10.0 / b), unit(2.0 / a, 20.0 / b)].concat());
    // The running ones go a tenth of the way, to the unbiased variances 4 and 300.
    close(&buffer("norm.running_mean"), &[0.3, 2.0]);
    close(&buffer("norm.running_var"), &[0.9 + 0.4, 0.9 + 30.0]);

    let evaluated = values(&normalized.forward(&batch, Pass::EVAL).unwrap());
    let of = |x: f32, y: f32| unit((x - 0.3) / 1.3f32.sqrt(), (y - 2.0) / 30.9f32.sqrt());
    close(&evaluated, &[of(1.0, 10.0), of(3.0, 10.0), of(5.0, 40.0)].concat());

    // One image has no variance: its features are beta, and the running variance stays.
    let one = normalized.forward(&batch.narrow(0, 0, 1).unwrap(), Pass::TRAIN).unwrap();
    close(&values(&one), &[0.0, 0.0]);
    close(&buffer("norm.running_var"), &[1.3, 30.9]);
}

#[test]
fn a_wide_resnet_has_wide_features() {
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig { depth: 8, in_channels: 1, width: 2 };
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let images = Tensor::zeros((1, 1, 8, 8), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(resnet.forward(&images, Pass::EVAL).unwrap().dims(), [1, 128]);
    assert_eq!(resnet.feature_dim(), 128);
    let none = ResNet::new(ResNetConfig { width: 0, ..config }, &params.builder());
    assert!(matches!(none, Err(Error::Width)));
}
