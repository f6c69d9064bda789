//! The two-branch network.

use candle_core::{Device, Tensor};
use nc_models::{Bilateral, Error, Network, ParamStore, Pass, ResNetConfig};

use crate::support::{images, values};

fn bilateral(depth: usize) -> Bilateral {
    let config = ResNetConfig::cifar(depth, 3, 1).unwrap();
    Bilateral::new(ParamStore::new(0, &Device::Cpu), config, 5).unwrap()
}

#[test]
fn only_the_last_block_exists_twice() {
    let shape = |network: &Bilateral, name: &str| -> Option<Vec<usize>> {
        let vars = network.params().vars();
        vars.into_iter().find(|(known, _)| known == name).map(|(_, var)| var.dims().to_vec())
    };
    let network = bilateral(20);
    assert!(shape(&network, "layer3.1.conv1.weight").is_some());
    assert_eq!(shape(&network, "layer3.2.conv1.weight"), None);
    // A ResNet-8 has one block in each stage, so that its third stage is not shared.
    let small = bilateral(8);
    assert_eq!(shape(&small, "layer3.0.conv1.weight"), None);
    for name in ["cb_block.conv1.weight", "rb_block.conv1.weight"] {
        assert_eq!(shape(&network, name), Some(vec![64, 64, 3, 3]));
        assert_eq!(shape(&small, name), Some(vec![64, 32, 3, 3]));
    }
    let architecture = Network::architecture(&small, 8, 8).unwrap();
    assert_eq!(architecture.channels, [16, 32, 64]);
    // By hand: stem, stages of 8 x 8, 4 x 4 and twice 2 x 2 pixels, classifier.
    let block = |inputs: u64, outputs: u64, pixels: u64| 9 * (inputs + outputs) * outputs * pixels;
    let expected =
        9 * 3 * 16 * 64 + block(16, 16, 64) + block(16, 32, 16) + 2 * block(32, 64, 4) + 2 * 64 * 5;
    assert_eq!(architecture.multiply_adds, expected);
}

#[test]
fn the_classifier_starts_uniform() {
    let weight = values(&bilateral(8).classifier().unwrap().unwrap().weight);
    let (bound, count) = (1.0 / 128f32.sqrt(), weight.len() as f32);
    assert!(weight.iter().all(|value| value.abs() <= bound));
    // The variance of a uniform distribution is a third of the squared bound.
    let variance = weight.iter().map(|value| value * value).sum::<f32>() / count;
    assert!((variance / (bound * bound / 3.0) - 1.0).abs() < 0.1, "{variance}");
}

#[test]
fn inference_concatenates_the_branches() {
    for network in [bilateral(8), bilateral(20)] {
        let images = images(4, 3, 8);
        let branches = network.forward_views(&[&images, &images], Pass::EVAL).unwrap();
        let [one, other] = &branches[..] else { panic!("two branches") };
        assert!(one.logits.is_none() && other.logits.is_none());
        let both = Tensor::cat(&[&one.features, &other.features], 1).unwrap();
        let inferred = network.infer(&images).unwrap();
        assert_eq!(values(&inferred.features), values(&both));
        assert_eq!((network.feature_dim(), inferred.logits.unwrap().dims()), (128, &[4, 5][..]));
        assert_ne!(values(&one.features), values(&other.features));
        let three = network.forward_views(&[&images, &images, &images], Pass::EVAL);
        assert!(matches!(three, Err(Error::Views { expected: 2, found: 3 })));
    }
}
