//! Backbones.

use candle_core::{DType, Device, Tensor};
use nc_models::{
    Backbone, ConvNormLayer, ConvShape, Error, HeadConfig, Model, Network, NormalizedFeatures, ParamStore,
    Pass, ResNet, ResNetConfig,
};

use crate::support::values;

#[test]
fn resnet_depths_other_than_6n_plus_2_are_refused() {
    for depth in [0, 2, 18, 21, 33] {
        let result = ResNetConfig::cifar(depth, 3, 1);
        assert!(matches!(result, Err(Error::Depth(found)) if found == depth));
    }
}

#[test]
fn convolutions_with_invalid_groups_are_refused() {
    let vb = ParamStore::new(0, &Device::Cpu).builder();
    for groups in [0, 3] {
        let shape = ConvShape { in_channels: 4, out_channels: 4, kernel: 3, stride: 1, padding: 1, groups };
        let error = ConvNormLayer::new(shape, true, &vb.pp("conv"), &vb.pp("norm")).err().unwrap();
        assert!(error.to_string().contains("the groups must divide the channels"), "{error}");
    }
}

/// Returns the flattened images as features.
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
fn features_are_batch_normalised_and_scaled_to_unit_length() {
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
    // Running statistics take a step of 0.1, towards the unbiased variances 4 and 300.
    close(&buffer("norm.running_mean"), &[0.3, 2.0]);
    close(&buffer("norm.running_var"), &[0.9 + 0.4, 0.9 + 30.0]);

    let evaluated = values(&normalized.forward(&batch, Pass::EVAL).unwrap());
    let of = |x: f32, y: f32| unit((x - 0.3) / 1.3f32.sqrt(), (y - 2.0) / 30.9f32.sqrt());
    close(&evaluated, &[of(1.0, 10.0), of(3.0, 10.0), of(5.0, 40.0)].concat());

    // Training refuses one or two images; evaluation needs no batch statistics.
    for images in [1, 2] {
        let few = batch.narrow(0, 0, images).unwrap();
        let refused = normalized.forward(&few, Pass::TRAIN);
        assert!(matches!(refused, Err(Error::BatchTooSmall { least: 3, found }) if found == images));
        close(&values(&normalized.forward(&few, Pass::EVAL).unwrap()), &evaluated[..2 * images]);
    }
    close(&buffer("norm.running_var"), &[1.3, 30.9]);
}

/// Published parameters and multiply-adds for 32x32 colour images and 10 classes (He et al. 2016, table 6; ResNet-32:
/// 0.46 M and 69 M; the ResNet-18 of the common CIFAR implementation: 11.17 M and 0.56 G).
#[test]
fn networks_have_their_published_sizes() {
    let size = |build: &dyn Fn(&ParamStore) -> ResNet| {
        let params = ParamStore::new(0, &Device::Cpu);
        let model = Model::new(params.clone(), build(&params), &HeadConfig::Linear, 10).unwrap();
        let architecture = model.architecture(32, 32).unwrap();
        (params.parameter_count(), architecture.channels, architecture.multiply_adds)
    };
    let cifar =
        |params: &ParamStore| ResNet::new(ResNetConfig::cifar(32, 3, 1).unwrap(), &params.builder()).unwrap();
    assert_eq!(size(&cifar), (464_154, vec![16, 32, 64], 68_862_592));
    let (parameters, channels, multiply_adds) =
        size(&|params| ResNet::new(ResNetConfig::resnet18_small(3), &params.builder()).unwrap());
    assert_eq!((parameters, channels), (11_173_962, vec![64, 128, 256, 512]));
    assert!((multiply_adds as f64 / 0.556e9 - 1.0).abs() < 0.01, "{multiply_adds}");
}

/// A zero row has no direction: it stays zero with a zero gradient.
#[test]
fn features_of_norm_zero_have_no_gradient() {
    let params = ParamStore::new(0, &Device::Cpu);
    let normalized = NormalizedFeatures::new(Pixels(2), &params.builder().pp("norm")).unwrap();
    let (_, beta) = params.vars().into_iter().find(|(name, _)| name == "norm.bias").unwrap();
    // Identical images standardise to 0, and beta is initially 0.
    let batch = Tensor::ones((3, 2), DType::F32, &Device::Cpu).unwrap();
    let features = normalized.forward(&batch, Pass::TRAIN).unwrap();
    assert_eq!(values(&features), [0.0; 6]);
    let gradients = features.sum_all().unwrap().backward().unwrap();
    assert_eq!(values(gradients.get(&beta).unwrap()), [0.0, 0.0]);
}

#[test]
fn a_wide_resnet_has_wide_features() {
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig::cifar(8, 1, 2).unwrap();
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let images = Tensor::zeros((1, 1, 8, 8), DType::F32, &Device::Cpu).unwrap();
    assert_eq!(resnet.forward(&images, Pass::EVAL).unwrap().dims(), [1, 128]);
    assert_eq!(resnet.feature_dim(), 128);
    assert!(matches!(ResNetConfig::cifar(8, 1, 0), Err(Error::Width)));
}
