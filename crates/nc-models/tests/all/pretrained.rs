//! Trained weights as the initialisation of another network.

use candle_core::{Device, Tensor};
use nc_models::{HeadConfig, Model, Network, Pass};

use crate::support::{images, model, resnet18, values};

type Tensors = Vec<(String, Tensor)>;

fn tensors(model: &Model) -> Tensors {
    let vars = model.params().vars().into_iter();
    vars.map(|(name, var)| (name, var.as_detached_tensor().copy().unwrap())).collect()
}

/// Renames each tensor, or leaves it out.
fn renamed(tensors: Tensors, rename: impl Fn(&str) -> Option<String>) -> Tensors {
    tensors.into_iter().filter_map(|(name, tensor)| Some((rename(&name)?, tensor))).collect()
}

fn features(model: &Model, channels: usize) -> Vec<f32> {
    let grey = images(2, 1, 12);
    let images = Tensor::cat(&vec![&grey; channels], 1).unwrap();
    values(&model.features(&images, Pass::EVAL).unwrap())
}

fn refusal(model: &Model, tensors: Tensors) -> String {
    let before = tensors_bits(model);
    let error = model.params().load_pretrained(tensors, &[], None).unwrap_err().to_string();
    assert_eq!(tensors_bits(model), before, "a refused file changes nothing");
    error
}

fn tensors_bits(model: &Model) -> Vec<Vec<f32>> {
    tensors(model).iter().map(|(_, tensor)| values(tensor)).collect()
}

#[test]
fn colour_weights_summed_over_channels_act_on_grey_images_as_on_their_copies() {
    let (colour, grey) = (model(8, 3, 1, HeadConfig::Linear, 4), model(8, 1, 0, HeadConfig::Linear, 4));
    let loaded = grey.params().load_pretrained(tensors(&colour), &[], None).unwrap();
    assert_eq!((loaded.summed.as_deref(), loaded.fresh_head), (Some("conv1.weight"), None));
    for (expected, found) in features(&colour, 3).iter().zip(features(&grey, 1)) {
        assert!((expected - found).abs() < 1e-5, "{expected} {found}");
    }
    let message = refusal(&colour, tensors(&grey));
    assert!(message.contains("weights for grey images, but these are in colour"), "{message}");
}

#[test]
fn weights_with_the_names_of_torchvision_load() {
    let (trained, fresh) = (resnet18(), resnet18());
    for (_, var) in trained.params().vars() {
        var.set(&(var.as_tensor() + 0.25).unwrap()).unwrap();
    }
    let file = renamed(tensors(&trained), |name| {
        Some(name.replace(".shortcut.", ".downsample.").replace("linear.", "fc."))
    });
    let counter = ("bn1.num_batches_tracked".to_owned(), Tensor::new(3i64, &Device::Cpu).unwrap());
    let loaded = fresh.params().load_pretrained(file.into_iter().chain([counter]), &[], None).unwrap();
    assert_eq!(loaded, nc_models::Pretrained::default());
    assert_eq!(tensors_bits(&fresh), tensors_bits(&trained));
}

#[test]
fn misfits_of_the_backbone_are_listed() {
    let model = model(8, 3, 0, HeadConfig::Linear, 4);
    let seven = Tensor::zeros((16, 3, 7, 7), candle_core::DType::F32, &Device::Cpu).unwrap();
    let mut file = renamed(tensors(&model), |name| (name != "bn1.bias").then(|| name.to_owned()));
    file.retain(|(name, _)| name != "conv1.weight");
    file.push(("conv1.weight".into(), seven));
    file.push((
        "layer1.1.conv1.weight".into(),
        Tensor::zeros((1,), candle_core::DType::F32, &Device::Cpu).unwrap(),
    ));
    let expected = "the weights do not match the model: found \"conv1.weight\" of shape [16, 3, 7, 7], expected \
                    [16, 3, 3, 3] (the 7x7 stem of torchvision's networks for large images, such as imagenet-resnet18); missing \"bn1.bias\"; \
                    unexpected \"layer1.1.conv1.weight\"";
    assert_eq!(refusal(&model, file), expected);
    // Every parameter of a shallower network is in a deeper one.
    let deeper = crate::support::model(14, 3, 0, HeadConfig::Linear, 4);
    let message = refusal(&model, tensors(&deeper));
    assert!(
        message.contains("unexpected \"layer1.1.bn1.bias\"") && message.ends_with("and 27 more"),
        "{message}"
    );
}

#[test]
fn heads_that_do_not_fit_keep_their_initialisation() {
    let trained = model(8, 3, 1, HeadConfig::Linear, 4);
    for (head, classes, reason) in [
        (HeadConfig::Linear, 5, "\"linear.bias\" of shape [4], expected [5]"),
        (HeadConfig::Cosine { scale: 30.0 }, 4, "the file's head is of another kind, with \"linear.bias\""),
        (HeadConfig::Etf, 4, "it is fixed"),
    ] {
        let fresh = model(8, 3, 0, head, classes);
        let weight = values(&fresh.head().weight().unwrap());
        let loaded = fresh.params().load_pretrained(tensors(&trained), &[], None).unwrap();
        assert_eq!(loaded.fresh_head.as_deref(), Some(reason));
        assert!(loaded.unused.is_empty(), "{loaded:?}");
        assert_eq!(values(&fresh.head().weight().unwrap()), weight);
        assert_eq!(features(&fresh, 3), features(&trained, 3));
    }
    let fresh = model(8, 3, 0, HeadConfig::Linear, 4);
    let loaded =
        fresh.params().load_pretrained(tensors(&trained), &[], Some("other classes".into())).unwrap();
    assert_eq!(loaded.fresh_head.as_deref(), Some("other classes"));
    assert_ne!(values(&fresh.head().weight().unwrap()), values(&trained.head().weight().unwrap()));
}
