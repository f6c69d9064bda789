//! Three SGD steps on a batch of 16 against PyTorch in double precision: learning rate 0.01, momentum 0.9, weight decay
//! 5e-4. `golden/resnet_steps.safetensors` holds weights, batch and outputs of a ResNet-32.
//! `golden/resnet18_steps.safetensors`, written by `golden/resnet18_steps.py`, holds outputs of a ResNet-18 whose
//! weights follow from a formula, and `golden/bbn_steps.safetensors`, by `golden/bbn_steps.py`, those of BBN in epoch 101 of
//! 200 with Nesterov momentum and weight decay 2e-4.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use nc_data::{Batch, View};
use nc_losses::cross_entropy;
use nc_models::{Bilateral, HeadConfig, Model, Network, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Learner, Sgd, SgdConfig, Trainable, presets};

type Golden = HashMap<String, Tensor>;

#[test]
fn three_sgd_steps_of_resnet32_match_pytorch() {
    resnet32_on(&Device::Cpu);
}

#[test]
fn three_sgd_steps_of_resnet18_match_pytorch() {
    resnet18_on(&Device::Cpu);
}

#[test]
#[allow(clippy::print_stdout)]
fn three_sgd_steps_match_pytorch_on_a_gpu() {
    let Ok(device) = Device::new_cuda(0).or_else(|_| Device::new_metal(0)) else {
        println!("skipped: no CUDA or Metal device, or a build without its feature");
        return;
    };
    resnet32_on(&device);
    resnet18_on(&device);
}

fn resnet32_on(device: &Device) {
    let golden = load("resnet_steps.safetensors");
    let (params, vb) = params(device);
    let resnet = ResNet::new(ResNetConfig { depth: 32, in_channels: 3, width: 1 }, &vb).unwrap();
    let model = Model::new(params, resnet, &HeadConfig::Linear, 10).unwrap();
    for (name, var) in model.params().vars() {
        let value = golden[&format!("in.state.{name}")].to_device(device).unwrap();
        var.set(&value).unwrap();
    }
    let labels = golden["in.labels"].to_dtype(DType::U32).unwrap();
    three_sgd_steps_match(&golden, &model, &golden["in.images"], &labels);
}

fn resnet18_on(device: &Device) {
    let golden = load("resnet18_steps.safetensors");
    let (params, vb) = params(device);
    let resnet = ResNet::resnet18(3, &vb).unwrap();
    let model = Model::new(params, resnet, &HeadConfig::Linear, 10).unwrap();
    let mut vars = model.params().vars();
    vars.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (stream, (name, var)) in vars.iter().enumerate() {
        var.set(&initial(stream, name, var.dims()).to_device(device).unwrap()).unwrap();
    }
    let images = noise(1000, &[16, 3, 32, 32], |x| x);
    let labels: Vec<u32> = (0..16).map(|i| i * 7 % 10).collect();
    three_sgd_steps_match(&golden, &model, &images, &Tensor::new(labels, &Device::Cpu).unwrap());
}

#[test]
fn three_steps_of_bbn_match_pytorch() {
    let golden = load("bbn_steps.safetensors");
    let (params, _) = params(&Device::Cpu);
    let config = ResNetConfig { depth: 20, in_channels: 3, width: 1 };
    let network = Bilateral::new(params, config, 10).unwrap();
    let mut vars = network.params().vars();
    vars.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (stream, (name, var)) in vars.iter().enumerate() {
        var.set(&initial(stream, name, var.dims())).unwrap();
    }
    let view = |stream: usize, factor: u32| View {
        images: noise(stream, &[16, 3, 32, 32], |x| x),
        labels: (0..16).map(|i| i * factor % 10).collect(),
        positions: (0..16).collect(),
        mix: None,
    };
    let batch = Batch { views: vec![view(1000, 7), view(1001, 3)] };
    // The preset's phase: nothing of the recipe is repeated here but the learning rate of this epoch.
    let phase = &presets::find("cifar10-lt-r100/bbn").unwrap().phases[0];
    let mut learner = Learner::new(Box::new(network), &[16; 10]);
    learner.begin_phase(phase).unwrap();
    learner.begin_epoch(100, 0, &|_| unreachable!("no centres")).unwrap();
    for step in 0..3 {
        let loss = learner.step(&batch, 0.01).unwrap().losses.total;
        let loss = Tensor::new(&[loss], &Device::Cpu).unwrap();
        assert_close(&golden, &format!("out.step{step}.loss"), &loss, 1e-4);
    }
    for name in names_after(&golden, "out.after3.").filter(|name| name != "eval_logits") {
        assert_close(&golden, &format!("out.after3.{name}"), &var(&vars, &name), 5e-3);
    }
    let logits = learner.network().infer(&batch.views[0].images).unwrap().logits.unwrap();
    assert_close(&golden, "out.after3.eval_logits", &logits, 1e-2);
}

fn three_sgd_steps_match(golden: &Golden, model: &Model, images: &Tensor, labels: &Tensor) {
    let vars = model.params().vars();
    let device = vars[0].1.device();
    let (images, labels) = (images.to_device(device).unwrap(), labels.to_device(device).unwrap());
    let config = SgdConfig {
        learning_rate: 0.01,
        momentum: 0.9,
        nesterov: false,
        weight_decay: 5e-4,
        clip_norm: None,
    };
    let mut optimizer = Sgd::new(config);
    let param = |(name, var): &(String, Var)| Trainable { name: name.clone(), var: var.clone(), rate: 1.0 };
    let params: Vec<Trainable> = vars.iter().map(param).collect();

    for step in 0..3 {
        let output = model.forward(&images, Pass::TRAIN).unwrap();
        let loss = cross_entropy(&output.logits, &labels).unwrap();
        let gradients = loss.backward().unwrap();
        assert_close(golden, &format!("out.step{step}.loss"), &loss.reshape(1).unwrap(), 1e-3);
        if step == 0 {
            assert_close(golden, "out.step0.features", &output.features, 1e-4);
            assert_close(golden, "out.step0.logits", &output.logits, 1e-4);
            for name in names_after(golden, "grad.step0.") {
                let gradient = gradients.get(&var(&vars, &name)).unwrap();
                assert_close(golden, &format!("grad.step0.{name}"), gradient, 2e-2);
            }
        }
        optimizer.step(&params, &gradients, config.learning_rate).unwrap();
    }

    for name in names_after(golden, "out.after3.").filter(|name| name != "eval_logits") {
        assert_close(golden, &format!("out.after3.{name}"), &var(&vars, &name), 5e-3);
    }
    let logits = model.forward(&images, Pass::EVAL).unwrap().logits;
    assert_close(golden, "out.after3.eval_logits", &logits, 1e-2);
}

fn load(name: &str) -> Golden {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/");
    candle_core::safetensors::load(format!("{directory}{name}"), &Device::Cpu).unwrap()
}

fn params(device: &Device) -> (ParamStore, VarBuilder<'static>) {
    let params = ParamStore::new(0, device);
    let vb = params.builder();
    (params, vb)
}

/// Pseudo-random numbers in [-1, 1), hashed from position and stream, then mapped by `of`.
fn noise(stream: usize, dims: &[usize], of: impl Fn(f32) -> f32) -> Tensor {
    let start = (stream as u32).wrapping_mul(0x9E37_79B9);
    let value = |i: u32| {
        let mut x = start.wrapping_add(i);
        for multiplier in [0x7FEB_352D, 0x846C_A68B] {
            x = (x ^ (x >> 16)).wrapping_mul(multiplier);
        }
        of(((x ^ (x >> 16)) >> 8) as f32 / 8_388_608.0 - 1.0)
    };
    let count = dims.iter().product::<usize>() as u32;
    Tensor::from_vec((0..count).map(value).collect(), dims, &Device::Cpu).unwrap()
}

fn initial(stream: usize, name: &str, dims: &[usize]) -> Tensor {
    if dims.len() > 1 {
        let bound = (6.0 / dims[1..].iter().product::<usize>() as f32).sqrt();
        return noise(stream, dims, |x| x * bound);
    }
    let about_one = name.ends_with("weight") || name.ends_with("running_var");
    noise(stream, dims, |x| if about_one { 1.0 + x / 4.0 } else { x / 4.0 })
}

/// Suffixes after `prefix` of the golden tensors' names.
fn names_after(golden: &Golden, prefix: &str) -> impl Iterator<Item = String> {
    let names: Vec<String> =
        golden.keys().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned())).collect();
    assert!(!names.is_empty(), "no golden tensors {prefix}*");
    names.into_iter()
}

fn var(vars: &[(String, Var)], name: &str) -> Var {
    let (_, var) = vars.iter().find(|(known, _)| known == name).unwrap();
    var.clone()
}

/// Checks ||ours - theirs|| / ||theirs|| < `bound`. Golden files may hold only every n-th value of large tensors, 256
/// or a few more.
fn assert_close(golden: &Golden, name: &str, ours: &Tensor, bound: f64) {
    let values = |tensor: &Tensor| -> Vec<f64> {
        let tensor = tensor.to_device(&Device::Cpu).unwrap().to_dtype(DType::F64).unwrap();
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    };
    let (mut ours, theirs) = (values(ours), values(&golden[name]));
    if ours.len() != theirs.len() {
        ours = ours.iter().copied().step_by(ours.len() / 256).collect();
    }
    assert_eq!(ours.len(), theirs.len(), "{name}");
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|x| x * x).sum::<f64>().sqrt();
    let error = norm(&mut ours.iter().zip(&theirs).map(|(a, b)| a - b)) / norm(&mut theirs.iter().copied());
    assert!(error < bound, "{name}: relative error {error:.2e}, bound {bound:.0e}");
}
