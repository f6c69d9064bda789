//! Checks the CUDA kernels on a GPU against the CPU and measures training steps. `cargo xtask gpu-check` bundles it.
//!
//! ```sh
//! gpu_check            # ResNet-32, batches of 128
//! gpu_check small      # one step of ResNet-8, for compute-sanitizer
//! gpu_check emulated   # the same under the emulator: tests this program
//! ```
//!
//! Prints a Markdown table. Exits with an error if a result differs from the CPU's, or from that of the same steps before.

#![allow(clippy::print_stdout)]

use std::{cmp::Ordering, error::Error, process::ExitCode, time::Instant};

use candle_core::{DType, Device, Tensor};
use nc_cuda::KernelTime;
use nc_data::{Batch, View};
use nc_kernels::{gpu, threads};
use nc_models::{HeadConfig, Model, ParamStore, Precision, ResNet, ResNetConfig};
use nc_train::{Learner, presets};

/// One configuration of the check.
struct Size {
    depth: usize,
    images: usize,
    side: usize,
    /// Steps that are compared, and steps that are timed.
    compared: usize,
    timed: usize,
}

const CLASSES: usize = 10;
const LEARNING_RATE: f64 = 0.05;
const WARM_UP: usize = 20;
const TIMED_BY_EVENTS: usize = 10;
const PRECISIONS: [(Precision, f64); 3] =
    [(Precision::F32, 1e-3), (Precision::Tf32, 2e-2), (Precision::Bf16, 5e-2)];

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[allow(clippy::print_stderr)]
fn main() -> ExitCode {
    match check() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn check() -> Result<()> {
    let mode = std::env::args().nth(1);
    let small = Size { depth: 8, images: 8, side: 8, compared: 1, timed: 0 };
    let (size, device) = match mode.as_deref() {
        None => (
            Size { depth: 32, images: 128, side: 32, compared: 2, timed: 300 },
            gpu::Device::cuda as fn(usize) -> _,
        ),
        Some("small") => (small, gpu::Device::cuda as fn(usize) -> _),
        Some("emulated") => {
            (small, (|_| Ok(nc_cuda::Emulator::new(nc_cuda::Order::Ascending).device())) as fn(usize) -> _)
        }
        Some(_) => return Err("usage: gpu_check [small|emulated]".into()),
    };
    threads::init(0)?;
    // On the CPU first: afterwards the process has a GPU.
    let expected = steps(&size, Precision::F32, size.compared)?;
    let device = device(0)?;
    gpu::start(device.clone())?;
    println!("| precision | error of the loss | error of the logits | equal bits | step (ms) | images/s |");
    println!("|---|---:|---:|---|---:|---:|");
    let (mut wrong, mut kernels) = (vec![], vec![]);
    for (precision, bound) in PRECISIONS {
        let found = steps(&size, precision, size.compared)?;
        let again = steps(&size, precision, size.compared)?;
        let (loss, logits) =
            (error_of(&found.losses[..1], &expected.losses[..1]), error_of(&found.logits, &expected.logits));
        let equal = found == again;
        // Not `>`: NaN must fail.
        if !(equal && loss <= bound && logits <= 10.0 * bound) {
            wrong.push(precision.to_string());
        }
        let timing = if size.timed == 0 {
            "- | -".to_owned()
        } else {
            let milliseconds = time(&size, precision)?;
            kernels.push((precision, kernel_times(&size, precision, &device)?));
            format!("{milliseconds:.3} | {:.0}", 1e3 * size.images as f64 / milliseconds)
        };
        println!(
            "| {precision} | {loss:.1e} | {logits:.1e} | {} | {timing} |",
            if equal { "yes" } else { "no" }
        );
    }
    if !kernels.is_empty() {
        println!("\nKernels of a step, by events around each:\n");
        println!("| precision | kernel | launches | ms |\n|---|---|---:|---:|");
    }
    for (precision, times) in kernels {
        for KernelTime { kernel, launches, milliseconds } in times {
            println!(
                "| {precision} | {kernel} | {} | {:.3} |",
                launches / TIMED_BY_EVENTS,
                milliseconds / TIMED_BY_EVENTS as f64
            );
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("wrong in {}", wrong.join(", ")).into()) }
}

/// Results of some steps.
#[derive(PartialEq)]
struct Outcome {
    losses: Vec<f64>,
    /// In evaluation, afterwards.
    logits: Vec<f64>,
}

fn learner(size: &Size, precision: Precision) -> Result<Learner> {
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig::cifar(size.depth, 3, 1)?;
    let resnet = ResNet::new(config, &params.builder())?;
    let network = Model::new(params, resnet, &HeadConfig::Linear, CLASSES)?;
    let mut learner = Learner::new(Box::new(network), &[size.images; CLASSES]).in_precision(precision);
    learner.begin_phase(&presets::find("cifar10-lt-r100/ce")?.phases[0])?;
    learner.begin_epoch(0, 0, &|_, _| unreachable!("no centres"))?;
    Ok(learner)
}

/// Images whose class shows in their brightness, and noise.
fn batch(size: &Size) -> Result<Batch> {
    let labels: Vec<u32> = (0..size.images as u32).map(|image| image % CLASSES as u32).collect();
    let values = 3 * size.side * size.side;
    let pixel = |index: usize| {
        let noise = (index * 7919 % 1009) as f32 / 1009.0 - 0.5;
        0.3 * labels[index / values] as f32 - 1.5 + noise
    };
    let images: Vec<f32> = (0..size.images * values).map(pixel).collect();
    let images = Tensor::from_vec(images, (size.images, 3, size.side, size.side), &Device::Cpu)?;
    let positions = (0..size.images as u32).collect();
    Ok(Batch { views: vec![View { images, labels, positions, mix: None }] })
}

fn steps(size: &Size, precision: Precision, count: usize) -> Result<Outcome> {
    let (mut learner, batch) = (learner(size, precision)?, batch(size)?);
    let mut losses = vec![];
    for _ in 0..count {
        losses.push(learner.step(&batch, LEARNING_RATE)?.losses.total);
    }
    let logits = learner.network()?.infer(&batch.first().images)?.logits.ok_or("no logits")?;
    Ok(Outcome { losses, logits: logits.to_dtype(DType::F64)?.flatten_all()?.to_vec1()? })
}

/// Median milliseconds of a step. The loss must fall.
fn time(size: &Size, precision: Precision) -> Result<f64> {
    let (mut learner, batch) = (learner(size, precision)?, batch(size)?);
    let (mut times, mut losses) = (vec![], vec![]);
    for step in 0..WARM_UP + size.timed {
        let started = Instant::now();
        losses.push(learner.step(&batch, LEARNING_RATE)?.losses.total);
        if step >= WARM_UP {
            times.push(1e3 * started.elapsed().as_secs_f64());
        }
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    // NaN fails, too.
    if last.partial_cmp(&(0.5 * first)) != Some(Ordering::Less) {
        return Err(
            format!("{precision}: the loss went from {first} to {last} in {} steps", losses.len()).into()
        );
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// Times of the kernels in [`TIMED_BY_EVENTS`] steps.
fn kernel_times(size: &Size, precision: Precision, device: &gpu::Device) -> Result<Vec<KernelTime>> {
    let (mut learner, batch) = (learner(size, precision)?, batch(size)?);
    for _ in 0..WARM_UP {
        learner.step(&batch, LEARNING_RATE)?;
    }
    device.start_timing()?;
    for _ in 0..TIMED_BY_EVENTS {
        learner.step(&batch, LEARNING_RATE)?;
    }
    Ok(device.take_times()?)
}

fn error_of(found: &[f64], expected: &[f64]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    norm(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / norm(&mut expected.iter().copied())
}
