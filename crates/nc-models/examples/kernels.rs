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
use nc_models::{
    Bilateral, Experts, ExpertsConfig, HeadConfig, Model, Network, ParamStore, Pass, Precision, ResNet,
    ResNetConfig, Result,
    gpu::{self, AdamW, Factors, Recorder, Resident, Sgd},
};

const CLASSES: usize = 10;
/// Kernels do not depend on the number of images.
const BATCH: usize = 2;

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
        for (images, build) in networks() {
            step(build(images.channels)?.as_ref(), images, precision)?;
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

/// Images of a data set.
#[derive(Clone, Copy)]
struct Images {
    channels: usize,
    /// Height and width.
    side: usize,
}

const CIFAR: Images = Images { channels: 3, side: 32 };
const FASHION_MNIST: Images = Images { channels: 1, side: 28 };
const TINY_IMAGENET: Images = Images { channels: 3, side: 64 };
const PHOTOGRAPHS: Images = Images { channels: 3, side: 224 };

/// Builds a network with so many input channels.
type Build = fn(usize) -> Result<Box<dyn Network>>;

/// The networks of the presets, each on the images of its data sets. ResNet-8 to 56 differ in the number of launches alone, as do
/// ResNet-50 and 152.
fn networks() -> [(Images, Build); 15] {
    [
        (CIFAR, |channels| resnet(cifar(channels, 1)?)),
        (CIFAR, |channels| resnet(cifar(channels, 2)?)),
        (CIFAR, |channels| resnet(ResNetConfig::resnet18_small(channels))),
        (CIFAR, |channels| Ok(Box::new(Bilateral::new(params(), cifar(channels, 1)?, CLASSES)?))),
        (CIFAR, |channels| experts(cifar(channels, 1)?, false)),
        (CIFAR, |channels| experts(cifar(channels, 1)?, true)),
        (FASHION_MNIST, |channels| resnet(cifar(channels, 1)?)),
        (FASHION_MNIST, |channels| Ok(Box::new(Bilateral::new(params(), cifar(channels, 1)?, CLASSES)?))),
        (FASHION_MNIST, |channels| experts(cifar(channels, 1)?, false)),
        (TINY_IMAGENET, |channels| resnet(ResNetConfig::resnet18(channels))),
        (TINY_IMAGENET, |channels| experts(ResNetConfig::resnet18(channels), true)),
        (PHOTOGRAPHS, |channels| resnet(ResNetConfig::resnet50(channels))),
        (PHOTOGRAPHS, |channels| experts(ResNetConfig::resnet50(channels), true)),
        (PHOTOGRAPHS, |channels| resnet(ResNetConfig::resnext50_32x4d(channels))),
        (PHOTOGRAPHS, |channels| experts(ResNetConfig::resnext50_32x4d(channels), true)),
    ]
}

fn cifar(channels: usize, width: usize) -> Result<ResNetConfig> {
    ResNetConfig::cifar(32, channels, width)
}

fn params() -> ParamStore {
    ParamStore::new(0, &Device::Cpu)
}

fn resnet(config: ResNetConfig) -> Result<Box<dyn Network>> {
    let params = params();
    let backbone = ResNet::new(config, &params.builder())?;
    Ok(Box::new(Model::new(params, backbone, &HeadConfig::Linear, CLASSES)?))
}

fn experts(resnet: ResNetConfig, reduce_dimension: bool) -> Result<Box<dyn Network>> {
    let config = ExpertsConfig { resnet, experts: 3, reduce_dimension, head: HeadConfig::Linear };
    Ok(Box::new(Experts::new(params(), &config, CLASSES)?))
}

/// Updates of parameters that stay on the device.
fn updates() -> Result<()> {
    let network = resnet(ResNetConfig::cifar(8, CIFAR.channels, 1)?)?;
    let vars: Vec<_> = network.params().all().into_iter().map(|param| param.var).collect();
    let Some(resident) = Resident::new(&vars)? else { return Ok(()) };
    // Two passes, whose gradients are added.
    for _ in 0..2 {
        step(network.as_ref(), CIFAR, Precision::F32)?;
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

/// A training step, a forward pass of a frozen backbone, and an evaluation.
fn step(network: &dyn Network, images: Images, precision: Precision) -> Result<()> {
    let Images { channels, side } = images;
    let images = Tensor::zeros((BATCH, channels, side, side), DType::F32, &Device::Cpu)?;
    let pass = Pass { precision, ..Pass::TRAIN };
    // Two views for a network of two samplers.
    let forward = |pass| match network.forward_views(&[&images], pass) {
        Err(nc_models::Error::Views { .. }) => network.forward_views(&[&images, &images], pass),
        branches => branches,
    };
    let branches = forward(pass)?;
    let sums =
        branches.iter().map(|branch| branch.features.sum_all()).collect::<candle_core::Result<Vec<_>>>()?;
    Tensor::stack(&sums, 0)?.sum_all()?.backward()?;
    forward(Pass { precision, ..Pass::EVAL })?;
    network.infer(&images)?;
    Ok(())
}
