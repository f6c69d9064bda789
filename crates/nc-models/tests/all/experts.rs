//! The network of several experts.

use candle_core::{Device, Tensor};
use nc_models::{
    Branch, Classifier, Error, Experts, ExpertsConfig, HeadConfig, Network, ParamStore, Pass, ResNetConfig,
};

use crate::support::{images, values};

const COSINE: HeadConfig = HeadConfig::Cosine { scale: 30.0 };

fn experts(count: usize, reduce_dimension: bool, head: HeadConfig) -> Experts {
    let resnet = ResNetConfig::cifar(20, 3, 1).unwrap();
    let config = ExpertsConfig { resnet, experts: count, reduce_dimension, head };
    Experts::new(ParamStore::new(0, &Device::Cpu), &config, 5).unwrap()
}

/// Asserts that two tensors are equal up to rounding.
#[track_caller]
fn assert_near(one: &Tensor, other: &Tensor) {
    let (one, other) = (values(one), values(other));
    assert_eq!(one.len(), other.len());
    for (a, b) in one.iter().zip(&other) {
        assert!((a - b).abs() < 1e-4 * (1.0 + b.abs()), "{a} {b}");
    }
}

fn mean_logits(branches: &[Branch]) -> Tensor {
    let logits: Vec<&Tensor> = branches.iter().filter_map(|branch| branch.logits.as_ref()).collect();
    assert_eq!(logits.len(), branches.len());
    Tensor::stack(&logits, 0).unwrap().mean(0).unwrap()
}

#[test]
fn stem_and_first_stage_are_shared() {
    let shape = |network: &Experts, name: &str| -> Option<Vec<usize>> {
        let vars = network.params().vars();
        vars.into_iter().find(|(known, _)| known == name).map(|(_, var)| var.dims().to_vec())
    };
    let (full, reduced) = (experts(3, false, COSINE), experts(3, true, COSINE));
    for (network, channels) in [(&full, [32, 64]), (&reduced, [24, 48])] {
        let [second, third] = channels;
        assert_eq!(shape(network, "layer1.0.conv1.weight"), Some(vec![16, 16, 3, 3]));
        assert_eq!(shape(network, "layer2s.2.0.conv1.weight"), Some(vec![second, 16, 3, 3]));
        assert_eq!(shape(network, "layer3s.0.2.conv1.weight"), Some(vec![third, third, 3, 3]));
        assert_eq!(shape(network, "linears.1.weight"), Some(vec![5, third]));
        assert_eq!(shape(network, "linears.3.weight"), None);
        assert_eq!((network.feature_dim(), network.heads().len()), (3 * third, 3));
    }
    let architecture = reduced.architecture(8, 8).unwrap();
    assert_eq!(architecture.channels, [16, 24, 48]);
    // By hand: stem and first stage on 8 x 8 pixels, three experts on 4 x 4 and 2 x 2, classifiers.
    let stage = |inputs: u64, outputs: u64, pixels: u64| 9 * (inputs + 5 * outputs) * outputs * pixels;
    let shared = 9 * 3 * 16 * 64 + stage(16, 16, 64);
    let expert = stage(16, 24, 16) + stage(24, 48, 4) + 48 * 5;
    assert_eq!(architecture.multiply_adds, shared + 3 * expert);
    let none = ExpertsConfig {
        resnet: ResNetConfig::cifar(20, 3, 1).unwrap(),
        experts: 0,
        reduce_dimension: false,
        head: COSINE,
    };
    let error = Experts::new(ParamStore::new(0, &Device::Cpu), &none, 5).err();
    assert!(matches!(error, Some(Error::NoExperts)));
}

/// The shapes of the authors' `RIDEResNeXt` with `reduce_dimension`.
#[test]
fn the_last_two_of_four_stages_belong_to_the_experts() {
    let resnet = ResNetConfig::resnext50_32x4d(3);
    let config = ExpertsConfig { resnet, experts: 2, reduce_dimension: true, head: COSINE };
    let network = Experts::new(ParamStore::new(0, &Device::Cpu), &config, 5).unwrap();
    let vars = network.params().vars();
    let shape = |name: &str| vars.iter().find(|(known, _)| known == name).map(|(_, var)| var.dims().to_vec());
    assert_eq!(shape("layer2.3.conv3.weight"), Some(vec![512, 256, 1, 1]));
    assert_eq!(shape("layer3s.1.0.conv1.weight"), Some(vec![384, 512, 1, 1]));
    assert_eq!(shape("layer3s.0.0.conv2.weight"), Some(vec![384, 12, 3, 3]));
    assert_eq!(shape("layer3s.0.0.downsample.0.weight"), Some(vec![768, 512, 1, 1]));
    assert_eq!(shape("layer4s.1.2.conv3.weight"), Some(vec![1536, 768, 1, 1]));
    assert_eq!(shape("linears.1.weight"), Some(vec![5, 1536]));
    assert_eq!((shape("layer2s.0.0.conv1.weight"), shape("layer3.0.conv1.weight")), (None, None));
    let branches = network.forward_views(&[&images(2, 3, 32)], Pass::EVAL).unwrap();
    assert_eq!(branches[1].features.dims(), [2, 1536]);
    let shallow = ResNetConfig { blocks: [1, 1, 0, 0], ..ResNetConfig::resnet18(3) };
    let config = ExpertsConfig { resnet: shallow, ..config };
    let error = Experts::new(ParamStore::new(0, &Device::Cpu), &config, 5).err();
    assert!(matches!(error, Some(Error::Stages { expected: 3, found: 2 })));
}

#[test]
fn one_linear_classifier_gives_the_mean_logits() {
    let images = images(4, 3, 8);
    for head in [COSINE, HeadConfig::Linear] {
        let network = experts(3, true, head);
        let branches = network.forward_views(&[&images], Pass::EVAL).unwrap();
        assert_ne!(values(&branches[0].features), values(&branches[1].features));
        let inferred = network.infer(&images).unwrap();
        assert_near(inferred.logits.as_ref().unwrap(), &mean_logits(&branches));
        let classifier = network.classifier().unwrap().unwrap();
        assert_near(&classifier.logits(&inferred.features).unwrap(), &mean_logits(&branches));
        // The parts of the features belong to the experts, in order.
        let part = inferred.features.narrow(1, 48, 48).unwrap();
        let second = network.heads()[1];
        assert_near(&part, &second.input(&branches[1].features).unwrap());
        let own = Classifier { weight: second.weight().unwrap(), bias: second.bias().unwrap() };
        assert_near(&own.logits(&part).unwrap(), branches[1].logits.as_ref().unwrap());
        let two = network.forward_views(&[&images, &images], Pass::EVAL);
        assert!(matches!(two, Err(Error::Views { expected: 1, found: 2 })));
    }
}

#[test]
fn a_new_classifier_is_shared_out_among_linear_heads() {
    let images = images(4, 3, 8);
    let mut network = experts(2, true, HeadConfig::Linear);
    let weight = Tensor::rand(-1f32, 1.0, (5, 96), &Device::Cpu).unwrap();
    let bias = Tensor::new(&[1f32, 2.0, 3.0, 4.0, 5.0], &Device::Cpu).unwrap();
    let classifier = Classifier { weight, bias: Some(bias) };
    network.set_classifier(&classifier).unwrap();
    let inferred = network.infer(&images).unwrap();
    assert_near(inferred.logits.as_ref().unwrap(), &classifier.logits(&inferred.features).unwrap());
    let branches = network.forward_views(&[&images], Pass::EVAL).unwrap();
    assert_near(inferred.logits.as_ref().unwrap(), &mean_logits(&branches));
    assert!(matches!(network.scale_logits(), Err(Error::SeveralHeads { found: 2 })));
    let error = experts(2, true, COSINE).set_classifier(&classifier).unwrap_err();
    assert!(matches!(error, Error::NotLinear { head: "cosine" }));
}
