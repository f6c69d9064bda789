//! Times whole steps of a ResNet on batches of 128 images of 3x32x32: `cargo xtask bench step` runs it side by side with
//! the same work in PyTorch.
//!
//! ```sh
//! cargo run --release -p nc-train --example step -- train|eval|shares resnet32|resnet18|stock-resnet32 THREADS STEPS
//! ```
//!
//! `train` and `eval` print `median_ms` and `min_ms` of a step and `peak_mb`, the largest memory the process had (0
//! where the system does not tell). `shares` trains on batches of a loader and prints which share of a step the
//! program waited for the loader, and the time of L_W and L_B (forward and backward, alone) as a share of a step.

#![allow(clippy::print_stdout)]

mod stock;

use std::{error::Error, hint::black_box, time::Instant};

use candle_core::{Device, Tensor, Var};
use candle_nn::VarBuilder;
use nc_data::{Augment, Dataset, ImageShape, Loader, LoaderConfig, Normalize, Sampler, Subset};
use nc_kernels::threads;
use nc_losses::{BetweenForm, between_class, cross_entropy, within_class};
use nc_models::{Backbone, HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Result, Sgd, SgdConfig};

use stock::StockResNet32;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 128;
const WARM_UP: usize = 2;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, mode, network, threads, steps] = args.as_slice() else {
        return Err("usage: step train|eval|shares resnet32|resnet18|stock-resnet32 THREADS STEPS".into());
    };
    let network: Network = match network.as_str() {
        "resnet32" => {
            |vb| Ok(Box::new(ResNet::new(ResNetConfig { depth: 32, in_channels: 3, width: 1 }, vb)?))
        }
        "resnet18" => |vb| Ok(Box::new(ResNet::resnet18(3, vb)?)),
        "stock-resnet32" => |vb| Ok(Box::new(StockResNet32::new(vb)?)),
        _ => return Err("the network should be resnet32, resnet18 or stock-resnet32".into()),
    };
    let steps: usize = steps.parse()?;
    threads::init(threads.parse()?)?;
    let measure: fn(Network, usize) -> Result<()> = match mode.as_str() {
        "train" => |network, steps| print_times(network, steps, Step::train),
        "eval" => |network, steps| print_times(network, steps, |step, images, _| step.evaluate(images)),
        "shares" => |network, steps| {
            [10, 100].into_iter().try_for_each(|classes| print_shares(network, classes, steps))
        },
        _ => return Err("the mode should be train, eval or shares".into()),
    };
    Ok(threads::install(|| measure(network, steps))?)
}

type Network = fn(&VarBuilder<'_>) -> nc_models::Result<Box<dyn Backbone>>;

/// The times of `step` on the same batch over and over.
fn print_times(
    network: Network,
    steps: usize,
    step: impl Fn(&mut Step, &Tensor, &Tensor) -> Result<()>,
) -> Result<()> {
    let mut bench = Step::new(network, 10)?;
    let images = Tensor::randn(0f32, 1f32, (BATCH, 3, 32, 32), &Device::Cpu)?;
    let labels: Vec<u32> = (0..BATCH as u32).map(|i| i % 10).collect();
    let labels = Tensor::new(labels, &Device::Cpu)?;
    let mut times = vec![];
    for round in 0..WARM_UP + steps {
        let started = Instant::now();
        step(&mut bench, &images, &labels)?;
        if round >= WARM_UP {
            times.push(milliseconds(started));
        }
    }
    println!("median_ms {:.3}", median(&mut times));
    println!("min_ms {:.3}", times[0]);
    println!("peak_mb {:.1}", peak_memory().unwrap_or(0.0));
    Ok(())
}

/// What a step on augmented and mixed batches spends beside the network.
fn print_shares(network: Network, classes: usize, steps: usize) -> Result<()> {
    let mut step = Step::new(network, classes)?;
    let loader = loader(classes, WARM_UP + steps)?;
    let (mut waits, mut losses, mut whole) = (vec![], vec![], vec![]);
    let mut batches = loader.epoch(0);
    for round in 0..WARM_UP + steps {
        let started = Instant::now();
        let Some(batch) = batches.next() else { break };
        let batch = batch?;
        let waited = milliseconds(started);
        let labels = Tensor::new(batch.labels.as_slice(), &Device::Cpu)?;
        step.train(&batch.images, &labels)?;
        let total = milliseconds(started);

        let features = Var::randn(0f32, 1f32, (BATCH, step.model.feature_dim()), &Device::Cpu)?;
        let started = Instant::now();
        black_box(step.regularisers(&features, &labels)?.backward()?);
        if round >= WARM_UP {
            waits.push(waited);
            losses.push(milliseconds(started));
            whole.push(total);
        }
    }
    let whole = median(&mut whole);
    println!("K{classes}_loader_wait_percent {:.3}", 100.0 * median(&mut waits) / whole);
    println!("K{classes}_regularisers_percent {:.3}", 100.0 * median(&mut losses) / whole);
    Ok(())
}

/// Batches of noise, cropped, mirrored and mixed as in training.
fn loader(classes: usize, batches: usize) -> Result<Loader> {
    let shape = ImageShape { channels: 3, height: 32, width: 32 };
    let images = BATCH * batches;
    let pixels: Vec<u8> = (0..images * shape.values()).map(|i| (i * i / 7) as u8).collect();
    let labels = (0..images).map(|i| (i % classes) as u32).collect();
    let names = (0..classes).map(|class| class.to_string()).collect();
    let subset = Subset::all(&Dataset::new(shape, pixels, labels, names)?);
    let config = LoaderConfig {
        batch_size: BATCH,
        augment: Some(Augment { crop_padding: 4, flip: true }),
        normalize: Normalize::of(&subset),
        mixup_alpha: Some(1.0),
        seed: 0,
        workers: 2,
        device: Device::Cpu,
    };
    Ok(Loader::new(&subset, Sampler::Uniform, config)?)
}

/// A model with all that a step of it needs.
struct Step {
    model: Model,
    vars: Vec<(String, Var)>,
    centers: Var,
    optimizer: Sgd,
}

impl Step {
    fn new(network: Network, classes: usize) -> Result<Self> {
        let device = Device::Cpu;
        let params = ParamStore::new(0, &device);
        let resnet = network(&params.builder())?;
        let model = Model::new(params, resnet, &HeadConfig::Linear, classes)?;
        let centers = Var::randn(0f32, 1f32, (classes, model.feature_dim()), &device)?;
        let config = SgdConfig {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            clip_norm: None,
        };
        Ok(Self { vars: model.params().vars(), model, centers, optimizer: Sgd::new(config) })
    }

    /// Forward, cross entropy + L_W + L_B, backward, SGD of the model and of the centres.
    fn train(&mut self, images: &Tensor, labels: &Tensor) -> Result<()> {
        let output = self.model.forward(images, Pass::TRAIN)?;
        let loss = (cross_entropy(&output.logits, labels)? + self.regularisers(&output.features, labels)?)?;
        black_box(loss.to_scalar::<f32>()?);
        let gradients = loss.backward()?;
        self.optimizer.step(&self.vars, &gradients, |_| 0.1)?;
        if let Some(gradient) = gradients.get(&self.centers) {
            self.centers.set(&(self.centers.as_detached_tensor() - (gradient * 50.0)?)?)?;
        }
        Ok(())
    }

    /// lambda1 L_W + lambda2 L_B.
    fn regularisers(&self, features: &Tensor, labels: &Tensor) -> Result<Tensor> {
        let within = within_class(features, labels, &self.centers)?;
        let between = between_class(&self.centers, BetweenForm::MeanMinAngle)?;
        Ok(((within * 0.01)? + (between * 0.1)?)?)
    }

    fn evaluate(&self, images: &Tensor) -> Result<()> {
        black_box(self.model.forward(images, Pass::EVAL)?.logits.to_vec2::<f32>()?);
        Ok(())
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Sorts `values`.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// In MB; on Linux only.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1e3)
}
