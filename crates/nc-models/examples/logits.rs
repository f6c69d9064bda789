//! Logits of a CIFAR ResNet or a ResNet-18 with weights from a file, ours or a PyTorch `state_dict` as safetensors:
//! `cargo run --release -p nc-models --example logits -- WEIGHTS IMAGES OUT`. IMAGES contains a tensor `images` (B, C,
//! H, W); OUT receives `logits` (B, K).

use std::{collections::HashMap, env, error::Error, fs};

use candle_core::{Device, safetensors};
use nc_models::{HeadConfig, Model, Network, ParamStore, Pass, ResNet, ResNetConfig};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [weights, images, out] = arguments.as_slice() else {
        return Err("usage: logits WEIGHTS IMAGES OUT".into());
    };
    let device = Device::Cpu;
    let state = safetensors::load(weights, &device)?;
    let shape = |name: &str| Ok::<_, String>(state.get(name).ok_or(format!("{name} is missing"))?.dims());
    let last_of_block = |name: &&String| name.starts_with("layer1.") && name.ends_with(".bn2.weight");
    let blocks = state.keys().filter(last_of_block).count();
    let stem = shape("conv1.weight")?;
    let classes = shape("linear.weight")?[0];

    let params = ParamStore::new(0, &device);
    let resnet = if state.contains_key("layer4.0.conv1.weight") {
        ResNet::new(ResNetConfig::resnet18_small(stem[1]), &params.builder())?
    } else {
        let config = ResNetConfig::cifar(6 * blocks + 2, stem[1], stem[0] / 16)?;
        ResNet::new(config, &params.builder())?
    };
    let model = Model::new(params, resnet, &HeadConfig::Linear, classes)?;
    model.params().load_safetensors(&fs::read(weights)?)?;

    let mut input = safetensors::load(images, &device)?;
    let images = input.remove("images").ok_or("the file of images has no tensor \"images\"")?;
    let logits = model.forward(&images, Pass::EVAL)?.logits;
    safetensors::save(&HashMap::from([("logits", logits)]), out)?;
    Ok(())
}
