//! Writes the CUDA source of every kernel that the networks launch, for `cargo xtask kernels`.
//!
//! ```sh
//! cargo run --release -p nc-models --example kernels -- DIRECTORY [PRECISION]
//! ```
//!
//! Prints a line per kernel: file, name, threads per block, bytes of dynamic shared memory, launches.

#![allow(clippy::print_stdout)]

use std::{error::Error, fs, path::Path};

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use nc_models::{
    Backbone, Bilateral, Experts, ExpertsConfig, HeadConfig, Model, Network, ParamStore, Pass, Precision,
    ResNet, ResNetConfig, Result,
    gpu::{self, AdamW, Factors, Recorder, Resident, Sgd},
};

const CLASSES: usize = 10;
const BATCH: usize = 128;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (directory, precision) = match arguments.as_slice() {
        [directory] => (directory, None),
        [directory, precision] => (directory, Some(precision.as_str())),
        _ => return Err("usage: kernels DIRECTORY [f32|tf32|bf16]".into()),
    };
    let all = [Precision::Bf16, Precision::Tf32, Precision::F32];
    let chosen: Vec<_> =
        all.into_iter().filter(|of| precision.is_none_or(|name| name == of.to_string())).collect();
    if chosen.is_empty() {
        return Err("expected the precision f32, tf32 or bf16".into());
    }
    let recorder = Recorder::default();
    gpu::start(recorder.device())?;
    for precision in chosen {
        for build in networks() {
            let network = build()?;
            step(network.as_ref(), precision)?;
        }
    }
    updates()?;
    let directory = Path::new(directory);
    fs::create_dir_all(directory)?;
    for (index, kernel) in recorder.kernels().iter().enumerate() {
        let source = &kernel.source;
        let file = format!("{index:04}-{}-{}.cu", source.kernel(), source.precision());
        fs::write(directory.join(&file), source.cuda())?;
        println!("{file} {} {} {} {}", source.kernel(), source.threads(), kernel.shared, kernel.launches);
    }
    Ok(())
}

type Build = fn() -> Result<Box<dyn Network>>;

/// The networks of the presets.
fn networks() -> [Build; 6] {
    [
        || model(|vb| Ok(Box::new(ResNet::new(resnet(32, 1)?, vb)?))),
        || model(|vb| Ok(Box::new(ResNet::new(resnet(32, 2)?, vb)?))),
        || model(|vb| Ok(Box::new(ResNet::new(ResNetConfig::resnet18_small(3), vb)?))),
        || Ok(Box::new(Bilateral::new(params(), resnet(32, 1)?, CLASSES)?)),
        || experts(false),
        || experts(true),
    ]
}

/// Depths differ in the number of launches alone.
fn resnet(depth: usize, width: usize) -> Result<ResNetConfig> {
    ResNetConfig::cifar(depth, 3, width)
}

fn params() -> ParamStore {
    ParamStore::new(0, &Device::Cpu)
}

fn model(build: impl FnOnce(&VarBuilder<'_>) -> Result<Box<dyn Backbone>>) -> Result<Box<dyn Network>> {
    let params = params();
    let backbone = build(&params.builder())?;
    Ok(Box::new(Model::new(params, backbone, &HeadConfig::Linear, CLASSES)?))
}

fn experts(reduce_dimension: bool) -> Result<Box<dyn Network>> {
    let config =
        ExpertsConfig { resnet: resnet(32, 1)?, experts: 3, reduce_dimension, head: HeadConfig::Linear };
    Ok(Box::new(Experts::new(params(), &config, CLASSES)?))
}

/// Updates of parameters that stay on the device.
fn updates() -> Result<()> {
    let network = model(|vb| Ok(Box::new(ResNet::new(resnet(8, 1)?, vb)?)))?;
    let vars: Vec<_> = network.params().all().into_iter().map(|param| param.var).collect();
    let Some(resident) = Resident::new(&vars)? else { return Ok(()) };
    // Two passes, whose gradients are added.
    for _ in 0..2 {
        step(network.as_ref(), Precision::F32)?;
    }
    resident.squared_norms()?;
    let (first, second) = (resident.vector(&[])?, resident.vector(&[])?);
    let factors = vec![Factors::rate(0.1); vars.len()];
    resident.sgd(Sgd { momentum: 0.9, weight_decay: 0.0, nesterov: false }, &factors, &first)?;
    resident.adamw(AdamW { beta1: 0.9, beta2: 0.99, epsilon: 1e-8 }, &factors, &first, &second)?;
    resident.average(&first, 0.1)?;
    resident.moved(0.1)?;
    resident.sync()?;
    Ok(())
}

/// A training step and an evaluation.
fn step(network: &dyn Network, precision: Precision) -> Result<()> {
    let images = Tensor::zeros((BATCH, 3, 32, 32), DType::F32, &Device::Cpu)?;
    let pass = Pass { precision, ..Pass::TRAIN };
    // Two views for a network of two samplers.
    let branches = match network.forward_views(&[&images], pass) {
        Err(nc_models::Error::Views { .. }) => network.forward_views(&[&images, &images], pass)?,
        branches => branches?,
    };
    let sums =
        branches.iter().map(|branch| branch.features.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
    Tensor::stack(&sums, 0)?.sum_all()?.backward()?;
    network.infer(&images)?;
    Ok(())
}
