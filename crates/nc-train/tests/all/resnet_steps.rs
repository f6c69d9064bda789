//! Three SGD steps on a batch of 16 against PyTorch in double precision: learning rate 0.01, momentum 0.9, weight decay
//! 5e-4. `golden/resnet_steps.safetensors` holds weights, batch and outputs of a ResNet-32.
//! `golden/resnet18_steps.safetensors`, written by `golden/resnet18_steps.py`, holds outputs of a ResNet-18 whose
//! weights follow from a formula.

use candle_core::{DType, Device, Tensor, Var};
use candle_nn::VarBuilder;
use nc_losses::cross_entropy;
use nc_models::{HeadConfig, Model, Network, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Sgd, SgdConfig, Trainable};

use crate::golden::{Golden, assert_close, initial, load, names_after, noise, var};

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

fn params(device: &Device) -> (ParamStore, VarBuilder<'static>) {
    let params = ParamStore::new(0, device);
    let vb = params.builder();
    (params, vb)
}
