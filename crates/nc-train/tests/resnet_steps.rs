//! Three steps of SGD on a ResNet-32 against PyTorch in double precision; `golden/resnet_steps.safetensors` holds
//! the weights, one batch of 16, and what came out: learning rate 0.01, momentum 0.9, weight decay 5e-4.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use nc_losses::cross_entropy;
use nc_models::{HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Sgd, SgdConfig};

type Golden = HashMap<String, Tensor>;

#[test]
fn three_sgd_steps_of_resnet32_match_pytorch() {
    let golden = load();
    let model = model(&golden);
    let (images, labels) = (&golden["in.images"], golden["in.labels"].to_dtype(DType::U32).unwrap());
    let config = SgdConfig {
        learning_rate: 0.01,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
        clip_norm: None,
    };
    let mut optimizer = Sgd::new(config);
    let vars = model.params().vars();

    for step in 0..3 {
        let output = model.forward(images, Pass::TRAIN).unwrap();
        let loss = cross_entropy(&output.logits, &labels).unwrap();
        let gradients = loss.backward().unwrap();
        assert_close(&golden, &format!("out.step{step}.loss"), &loss.reshape(1).unwrap(), 1e-3);
        if step == 0 {
            assert_close(&golden, "out.step0.features", &output.features, 1e-4);
            assert_close(&golden, "out.step0.logits", &output.logits, 1e-4);
            for name in names_after(&golden, "grad.step0.") {
                let gradient = gradients.get(&var(&vars, &name)).unwrap();
                assert_close(&golden, &format!("grad.step0.{name}"), gradient, 2e-2);
            }
        }
        optimizer.step(&vars, &gradients, |_| config.learning_rate).unwrap();
    }

    for name in names_after(&golden, "out.after3.").filter(|name| name != "eval_logits") {
        assert_close(&golden, &format!("out.after3.{name}"), &var(&vars, &name), 5e-3);
    }
    let logits = model.forward(images, Pass::EVAL).unwrap().logits;
    assert_close(&golden, "out.after3.eval_logits", &logits, 1e-2);
}

fn load() -> Golden {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/resnet_steps.safetensors");
    candle_core::safetensors::load(path, &Device::Cpu).unwrap()
}

fn model(golden: &Golden) -> Model {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet =
        ResNet::new(ResNetConfig { depth: 32, in_channels: 3, width: 1 }, &params.builder()).unwrap();
    let model = Model::new(params, resnet, &HeadConfig::Linear, 10).unwrap();
    let state: HashMap<_, _> =
        golden.iter().filter_map(|(name, tensor)| Some((name.strip_prefix("in.state.")?, tensor))).collect();
    let bytes = safetensors::serialize(state, None).unwrap();
    model.params().load_safetensors(&bytes).unwrap();
    model
}

/// What follows `prefix` in the names of the known answers.
fn names_after(golden: &Golden, prefix: &str) -> impl Iterator<Item = String> {
    let names: Vec<String> =
        golden.keys().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned())).collect();
    assert!(!names.is_empty(), "nothing is known of {prefix}");
    names.into_iter()
}

fn var(vars: &[(String, Var)], name: &str) -> Var {
    let (_, var) = vars.iter().find(|(known, _)| known == name).unwrap();
    var.clone()
}

/// Holds ||ours - theirs|| / ||theirs|| below `bound`.
fn assert_close(golden: &Golden, name: &str, ours: &Tensor, bound: f64) {
    let theirs = golden[name].to_dtype(DType::F64).unwrap();
    let ours = ours.to_dtype(DType::F64).unwrap();
    assert_eq!(ours.dims(), theirs.dims(), "{name}");
    let norm = |tensor: &Tensor| tensor.sqr().unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap().sqrt();
    let error = norm(&(&ours - &theirs).unwrap()) / norm(&theirs);
    assert!(error < bound, "{name}: relative error {error:.2e}, bound {bound:.0e}");
}
