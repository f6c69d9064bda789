//! Three SGD steps on a batch of 16 against PyTorch in double precision: learning rate 0.01, momentum 0.9, weight decay
//! 5e-4. `golden/resnet_steps.safetensors` holds weights, batch and outputs of a ResNet-32.
//! `golden/resnet18_steps.safetensors`, written by `golden/resnet18_steps.py`, holds outputs of a ResNet-18 whose
//! weights follow from a formula; so do those of torchvision's networks (`golden/torchvision_step.py`).

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::{Module, VarBuilder, VarMap};
use nc_losses::cross_entropy;
use nc_models::{Backbone, HeadConfig, Model, Network, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Sgd, SgdConfig, Trainable};

use crate::golden::{Golden, assert_close, initial, load, names_after, noise, var};

const SGD: SgdConfig =
    SgdConfig { learning_rate: 0.01, momentum: 0.9, nesterov: false, weight_decay: 5e-4, clip_norm: None };

#[test]
fn three_sgd_steps_of_resnet32_match_pytorch() {
    resnet32_on(&Device::Cpu);
}

#[test]
fn three_sgd_steps_of_resnet18_match_pytorch() {
    resnet18_on(&Device::Cpu);
}

/// torchvision's networks with their golden files.
const TORCHVISION: [(&str, ResNetConfig); 3] = [
    ("torchvision_resnet18", ResNetConfig::resnet18(3)),
    ("torchvision_resnet50", ResNetConfig::resnet50(3)),
    ("torchvision_resnext50_32x4d", ResNetConfig::resnext50_32x4d(3)),
];

/// A step of torchvision's networks by the kernels, and by Candle's own operations in double precision.
#[test]
fn a_step_of_torchvision_networks_matches_pytorch() {
    for (name, config) in TORCHVISION {
        let golden = load(&format!("{name}.safetensors"));
        // Masks of ReLUs flip in single precision, which changes gradients of the networks of 50 layers by up to 3.7e-2 in PyTorch.
        torchvision_step_matches(&golden, config, DType::F32, Bounds { output: 1e-4, step: 5e-2 });
        torchvision_step_matches(&golden, config, DType::F64, Bounds { output: 1e-6, step: 1e-6 });
    }
}

/// Boxed, as the trainer builds them, torchvision's networks have torchvision's names, so that weights of a run load there.
#[test]
fn networks_of_runs_have_the_names_of_torchvision() {
    for (name, config) in TORCHVISION {
        let golden = load(&format!("{name}.safetensors"));
        let (params, vb) = params(&Device::Cpu);
        let backbone: Box<dyn Backbone> = Box::new(ResNet::new(config, &vb).unwrap());
        let model = Model::new(params, backbone, &HeadConfig::Linear, 10).unwrap();
        let names = model.params().vars().into_iter().map(|(name, _)| name);
        let learned: BTreeSet<String> = names.filter(|name| !name.contains(".running_")).collect();
        // The file has those of each stage's first block.
        let theirs: BTreeSet<String> = names_after(&golden, "grad.").collect();
        assert!(theirs.contains("fc.weight") && learned.is_superset(&theirs), "{name}: {learned:?}");
    }
}

/// Bounds of relative errors.
#[derive(Clone, Copy)]
struct Bounds {
    output: f64,
    /// Of gradients, parameters after the step, and outputs in evaluation with them.
    step: f64,
}

/// Outputs, gradients, parameters after the step and outputs in evaluation.
fn torchvision_step_matches(golden: &Golden, config: ResNetConfig, dtype: DType, bounds: Bounds) {
    let assert = |name: &str, tensor: &Tensor, bound| assert_close(golden, name, &kept(tensor), bound);
    let map = VarMap::new();
    let vb = VarBuilder::from_varmap(&map, dtype, &Device::Cpu);
    let resnet = ResNet::new(config, &vb).unwrap();
    let head = candle_nn::linear(resnet.feature_dim(), 10, vb.pp(resnet.head_name())).unwrap();
    let vars: BTreeMap<String, Var> = map.data().lock().unwrap().clone().into_iter().collect();
    for (stream, (name, var)) in vars.iter().enumerate() {
        var.set(&initial(stream, name, var.dims()).to_dtype(dtype).unwrap()).unwrap();
    }
    let images = noise(1000, &[4, 3, 64, 64], |x| x).to_dtype(dtype).unwrap();
    let features = resnet.forward(&images, Pass::TRAIN).unwrap();
    let logits = head.forward(&features).unwrap();
    let loss = cross_entropy(&logits, &Tensor::new(&[0u32, 7, 4, 1], &Device::Cpu).unwrap()).unwrap();
    let gradients = loss.backward().unwrap();
    assert("out.loss", &loss.reshape(1).unwrap(), bounds.output);
    assert("out.features", &features, bounds.output);
    assert("out.logits", &logits, bounds.output);
    for name in names_after(golden, "grad.") {
        assert(&format!("grad.{name}"), gradients.get(&vars[&name]).unwrap(), bounds.step);
    }
    let param = |(name, var): (&String, &Var)| Trainable { name: name.clone(), var: var.clone(), rate: 1.0 };
    let params: Vec<Trainable> = vars.iter().map(param).collect();
    Sgd::new(SGD).step(&params, &gradients, SGD.learning_rate).unwrap();
    for name in names_after(golden, "after.") {
        assert(&format!("after.{name}"), &vars[&name], bounds.step);
    }
    let logits = head.forward(&resnet.forward(&images, Pass::EVAL).unwrap()).unwrap();
    assert("eval_logits", &logits, bounds.step);
}

/// Every n-th value, as in the golden files.
fn kept(tensor: &Tensor) -> Tensor {
    let flat = tensor.flatten_all().unwrap();
    let count = flat.elem_count() as u32;
    let indices = Tensor::arange_step(0, count, (count / 256) | 1, &Device::Cpu).unwrap();
    flat.index_select(&indices, 0).unwrap()
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
    let resnet = ResNet::new(ResNetConfig::cifar(32, 3, 1).unwrap(), &vb).unwrap();
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
    let resnet = ResNet::new(ResNetConfig::resnet18_small(3), &vb).unwrap();
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

fn three_sgd_steps_match(golden: &Golden, model: &Model, images: &Tensor, labels: &Tensor) {
    let vars = model.params().vars();
    let device = vars[0].1.device();
    let (images, labels) = (images.to_device(device).unwrap(), labels.to_device(device).unwrap());
    let mut optimizer = Sgd::new(SGD);
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
        optimizer.step(&params, &gradients, SGD.learning_rate).unwrap();
    }

    for name in names_after(golden, "out.after3.").filter(|name| name != "eval_logits") {
        assert_close(golden, &format!("out.after3.{name}"), &var(&vars, &name), 5e-3);
    }
    let logits = model.forward(&images, Pass::EVAL).unwrap().logits;
    assert_close(golden, "out.after3.eval_logits", &logits, 1e-2);
}

fn params(device: &Device) -> (ParamStore, VarBuilder<'static>) {
    let params = ParamStore::new(0, device);
    let vb = params.builder();
    (params, vb)
}
