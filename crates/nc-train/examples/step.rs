//! Times whole steps of the paper's CIFAR model, ResNet-32 on batches of 128 images of 3x32x32: `cargo xtask bench
//! step` runs it side by side with the same work in PyTorch.
//!
//! ```sh
//! cargo run --release -p nc-train --example step -- train|eval THREADS STEPS
//! ```
//!
//! Prints `median_ms` and `min_ms` of a step and `peak_mb`, the largest memory the process had (0 where the system
//! does not tell).

#![allow(clippy::print_stdout)]

use std::{error::Error, hint::black_box, time::Instant};

use candle_core::{Device, Tensor, Var};
use nc_kernels::threads;
use nc_losses::{BetweenForm, between_class, cross_entropy, within_class};
use nc_models::{HeadConfig, Model, ParamStore, Pass, ResNet, ResNetConfig};
use nc_train::{Sgd, SgdConfig};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 128;
const CLASSES: usize = 10;
const WARM_UP: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, mode, threads, steps] = args.as_slice() else {
        return Err("usage: step train|eval THREADS STEPS".into());
    };
    let steps: usize = steps.parse()?;
    threads::init(threads.parse()?)?;
    let train = mode == "train";
    let milliseconds = threads::install(|| time(train, steps).map_err(|error| error.to_string()))?;
    println!("median_ms {:.3}", milliseconds[milliseconds.len() / 2]);
    println!("min_ms {:.3}", milliseconds[0]);
    println!("peak_mb {:.1}", peak_memory().unwrap_or(0.0));
    Ok(())
}

/// The sorted times of `steps` steps.
fn time(train: bool, steps: usize) -> nc_train::Result<Vec<f64>> {
    let device = Device::Cpu;
    let params = ParamStore::new(0, &device);
    let resnet = ResNet::new(ResNetConfig { depth: 32, in_channels: 3 }, &params.builder())?;
    let model = Model::new(params, resnet, &HeadConfig::Linear, CLASSES)?;
    let centers = Var::from_tensor(&Tensor::randn(0f32, 1f32, (CLASSES, model.feature_dim()), &device)?)?;
    let images = Tensor::randn(0f32, 1f32, (BATCH, 3, 32, 32), &device)?;
    let labels =
        Tensor::from_vec((0..BATCH).map(|i| (i % CLASSES) as u32).collect::<Vec<_>>(), BATCH, &device)?;
    let config = SgdConfig { learning_rate: 0.1, momentum: 0.9, nesterov: false, weight_decay: 5e-4 };
    let mut optimizer = Sgd::new(config);
    let vars = model.params().vars();

    let mut milliseconds = Vec::with_capacity(steps);
    for step in 0..WARM_UP + steps {
        let started = Instant::now();
        if train {
            let output = model.forward(&images, Pass::TRAIN)?;
            let supervised = cross_entropy(&output.logits, &labels)?;
            let within = within_class(&output.features, &labels, &centers)?;
            let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
            let loss = ((supervised + (within * 0.01)?)? + (between * 0.1)?)?;
            black_box(loss.to_scalar::<f32>()?);
            let gradients = loss.backward()?;
            optimizer.step(&vars, &gradients, 0.1)?;
            if let Some(gradient) = gradients.get(&centers) {
                centers.set(&(centers.as_detached_tensor() - (gradient * 50.0)?)?)?;
            }
        } else {
            black_box(model.forward(&images, Pass::EVAL)?.logits.to_vec2::<f32>()?);
        }
        if step >= WARM_UP {
            milliseconds.push(started.elapsed().as_secs_f64() * 1e3);
        }
    }
    milliseconds.sort_by(f64::total_cmp);
    Ok(milliseconds)
}

/// In MB; on Linux only.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1e3)
}
