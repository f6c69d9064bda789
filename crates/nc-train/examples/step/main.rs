//! Times whole training and evaluation steps of a ResNet on batches of 128 images of 3x32x32, or of 32 images of 3x224x224 for
//! `imagenet-resnet18`, `resnet50` and `resnext50-32x4d`. `cargo xtask bench step` compares them with PyTorch.
//!
//! ```sh
//! cargo run --release -p nc-train --example step -- train|train-bf16|eval|shares|waiting resnet32|resnet18|stock-resnet32|resnet50 THREADS STEPS
//! cargo run --release -p nc-train --example step -- train cifar100-lt-r100/ride-3 THREADS STEPS
//! ```
//!
//! `train`, `train-bf16` and `eval` print `median_ms` and `min_ms` of a step and `peak_mb`, the peak memory of the process (0
//! if unknown). `shares` trains on batches of a loader. It prints the time waiting for the loader, and the time of L_W and
//! L_B alone (forward and backward), in percent of a step. `waiting` prints the time waiting for a loader of two views with
//! AutoAugment and Cutout. With a preset, `train` and `train-bf16` take steps of its first phase. `cargo xtask bench methods`
//! compares them with cross entropy.

#![allow(clippy::print_stdout)]

mod stock;

use std::{error::Error, hint::black_box, time::Instant};

use candle_core::{Device, Tensor, Var};
use candle_nn::VarBuilder;
use nc_data::{
    Batch, Dataset, ImageShape, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, Transform, View,
    ViewConfig,
};
use nc_kernels::{
    allocator::{MiMalloc, keep_freed_memory},
    threads,
};
use nc_losses::{BetweenForm, between_class, within_class};
use nc_models::{
    Backbone, Bilateral, Experts, ExpertsConfig, HeadConfig, Model, ParamStore, Precision, ResNet,
    ResNetConfig,
};
use nc_train::{BackboneKind, Branches, Learner, Result, presets};

use stock::StockResNet32;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const BATCH: usize = 128;
/// Images of a batch, and their side.
const SMALL: (usize, usize) = (BATCH, 32);
const WARM_UP: usize = 2;
const LEARNING_RATE: f64 = 0.1;

fn main() -> std::result::Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let args: Vec<String> = std::env::args().collect();
    let [_, mode, network, threads, steps] = args.as_slice() else {
        return Err(
            "usage: step train|train-bf16|eval|shares|waiting resnet32|resnet18|stock-resnet32 THREADS STEPS"
                .into(),
        );
    };
    if let ("train" | "train-bf16", true) = (mode.as_str(), network.contains('/')) {
        let precision = if mode == "train" { Precision::F32 } else { Precision::Bf16 };
        let steps = steps.parse()?;
        threads::init(threads.parse()?)?;
        return Ok(threads::install(|| train_preset(precision, network, steps))?);
    }
    let photographs = match network.as_str() {
        "imagenet-resnet18" => Some(ResNetConfig::resnet18(3)),
        "resnet50" => Some(ResNetConfig::resnet50(3)),
        "resnext50-32x4d" => Some(ResNetConfig::resnext50_32x4d(3)),
        _ => None,
    };
    if let (Some(config), "train" | "train-bf16" | "eval") = (photographs, mode.as_str()) {
        let steps = steps.parse()?;
        threads::init(threads.parse()?)?;
        return Ok(threads::install(|| on_photographs(config, mode, steps))?);
    }
    let network: Network = match network.as_str() {
        "resnet32" => |vb| Ok(Box::new(ResNet::new(ResNetConfig::cifar(32, 3, 1)?, vb)?)),
        "resnet18" => |vb| Ok(Box::new(ResNet::new(ResNetConfig::resnet18_small(3), vb)?)),
        "stock-resnet32" => |vb| Ok(Box::new(StockResNet32::new(vb)?)),
        _ => return Err("expected the network resnet32, resnet18 or stock-resnet32".into()),
    };
    let steps: usize = steps.parse()?;
    threads::init(threads.parse()?)?;
    let measure: fn(Network, usize) -> Result<()> = match mode.as_str() {
        "train" => |network, steps| print_steps(learner(network, 10)?, &noise(10, SMALL)?, true, steps),
        "train-bf16" => |network, steps| {
            let learner = learner_in(Precision::Bf16, network, 10)?;
            print_steps(learner, &noise(10, SMALL)?, true, steps)
        },
        "eval" => |network, steps| print_steps(learner(network, 10)?, &noise(10, SMALL)?, false, steps),
        "shares" => |network, steps| {
            [10, 100].into_iter().try_for_each(|classes| print_shares(network, classes, steps))
        },
        "waiting" => print_waiting,
        _ => return Err("expected the mode train, train-bf16, eval, shares or waiting".into()),
    };
    Ok(threads::install(|| measure(network, steps))?)
}

/// Times of training or evaluation steps.
fn print_steps(mut learner: Learner, batch: &Batch, trains: bool, steps: usize) -> Result<()> {
    print_times(steps, || {
        if trains {
            return learner.step(batch, LEARNING_RATE).map(drop);
        }
        let logits = learner.network()?.infer(&batch.first().images)?.logits;
        black_box(logits.map(|logits| logits.to_vec2::<f32>()).transpose()?);
        Ok(())
    })
}

/// Times of steps of a network for photographs.
fn on_photographs(config: ResNetConfig, mode: &str, steps: usize) -> Result<()> {
    let params = ParamStore::new(0, &Device::Cpu);
    let backbone = ResNet::new(config, &params.builder())?;
    let precision = if mode == "train-bf16" { Precision::Bf16 } else { Precision::F32 };
    let learner = learner_of(precision, params, Box::new(backbone), 10)?;
    print_steps(learner, &noise(10, (32, 224))?, mode != "eval", steps)
}

type Network = fn(&VarBuilder<'_>) -> nc_models::Result<Box<dyn Backbone>>;

/// Prints step times and peak memory over `steps` calls of `step`.
fn print_times(steps: usize, mut step: impl FnMut() -> Result<()>) -> Result<()> {
    let mut times = vec![];
    for round in 0..WARM_UP + steps {
        let started = Instant::now();
        step()?;
        if round >= WARM_UP {
            times.push(milliseconds(started));
        }
    }
    println!("median_ms {:.3}", median(&mut times));
    println!("min_ms {:.3}", times[0]);
    println!("peak_mb {:.1}", peak_memory().unwrap_or(0.0));
    Ok(())
}

/// Prints times of steps of a preset's first phase, with ResNet-32 and 100 classes, and the multiply-adds of its forward pass
/// per image of a view.
fn train_preset(precision: Precision, preset: &str, steps: usize) -> Result<()> {
    const CLASSES: usize = 100;
    let experiment = presets::find(preset)?;
    if experiment.model.backbone != BackboneKind::ResNet32 || experiment.model.normalize_features {
        let message = "expected a preset with a plain ResNet-32".to_owned();
        return Err(nc_train::Error::Setting { setting: preset.to_owned(), message });
    }
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNetConfig::cifar(32, 3, 1)?;
    let head = experiment.model.head;
    let network: Box<dyn nc_models::Network> = match experiment.model.branches {
        Some(Branches::Bilateral) => Box::new(Bilateral::new(params, resnet, CLASSES)?),
        Some(Branches::Experts { count, reduce_dimension }) => {
            let config = ExpertsConfig { resnet, experts: count, reduce_dimension, head };
            Box::new(Experts::new(params, &config, CLASSES)?)
        }
        None => {
            let backbone = ResNet::new(resnet, &params.builder())?;
            let model = Model::new(params, backbone, &head, CLASSES)?;
            Box::new(match experiment.model.projection {
                Some(projection) => model.with_projection(projection)?,
                None => model,
            })
        }
    };
    if let Some(architecture) = network.architecture(32, 32) {
        println!("multiply_adds {}", architecture.multiply_adds);
    }
    let phase = &experiment.phases[0];
    let view = noise(CLASSES, SMALL)?.views.remove(0);
    let views = phase.views.len().max(1 + usize::from(phase.second_sampler.is_some()));
    let batch = Batch { views: vec![view; views] };
    // Centres that start at the class means start at the class directions here.
    let directions = |network: &dyn nc_models::Network, _| {
        let of = |head: &&dyn nc_models::Head| Ok(head.weight()?.detach());
        network.heads().iter().map(of).collect()
    };
    let mut learner = Learner::new(network, &[BATCH; CLASSES]).in_precision(precision);
    learner.begin_phase(phase)?;
    learner.begin_epoch(phase.epochs / 2, 0, &directions)?;
    print_times(steps, || learner.step(&batch, 1e-3).map(drop))
}

/// Prints the time of loader and regularisers relative to a step.
fn print_shares(network: Network, classes: usize, steps: usize) -> Result<()> {
    let mut learner = learner(network, classes)?;
    let loader = loader(classes, WARM_UP + steps, vec![view()], 2)?;
    let centers = Var::randn(0f32, 1f32, (classes, learner.network()?.feature_dim()), &Device::Cpu)?;
    let (mut waits, mut losses, mut whole) = (vec![], vec![], vec![]);
    let mut batches = loader.epoch(0);
    for round in 0..WARM_UP + steps {
        let started = Instant::now();
        let Some(batch) = batches.next() else { break };
        let batch = batch?;
        let waited = milliseconds(started);
        learner.step(&batch, LEARNING_RATE)?;
        let total = milliseconds(started);

        let labels = Tensor::new(batch.first().labels.as_slice(), &Device::Cpu)?;
        let features = Var::randn(0f32, 1f32, (BATCH, learner.network()?.feature_dim()), &Device::Cpu)?;
        let started = Instant::now();
        let within = within_class(&features, &labels, &centers)?;
        let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
        black_box(((within * 0.01)? + (between * 0.1)?)?.backward()?);
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

/// Prints the time waiting for a loader of two strongly transformed views, relative to a step on the first of them.
fn print_waiting(network: Network, steps: usize) -> Result<()> {
    let mut learner = learner(network, 10)?;
    let strong = vec![
        Transform::Crop { padding: 4 },
        Transform::Flip,
        Transform::AutoAugmentCifar10,
        Transform::Cutout { length: 16 },
    ];
    let first = ViewConfig { transforms: strong, ..ViewConfig::new(Plan::Sampled(Sampler::Uniform)) };
    let second = ViewConfig { plan: Plan::SameAs(0), ..first.clone() };
    let mut batches = loader(10, WARM_UP + steps, vec![first, second], 1)?.epoch(0);
    let (mut waited, mut whole) = (0.0, 0.0);
    for round in 0..WARM_UP + steps {
        let started = Instant::now();
        let Some(batch) = batches.next() else { break };
        let mut batch = batch?;
        let waiting = milliseconds(started);
        // This network takes one view.
        batch.views.truncate(1);
        learner.step(&batch, LEARNING_RATE)?;
        if round >= WARM_UP {
            waited += waiting;
            whole += milliseconds(started);
        }
    }
    println!("two_views_loader_wait_percent {:.3}", 100.0 * waited / whole);
    Ok(())
}

/// A batch of noise, with this number of images and this side.
fn noise(classes: usize, (count, side): (usize, usize)) -> Result<Batch> {
    let images = Tensor::randn(0f32, 1f32, (count, 3, side, side), &Device::Cpu)?;
    let labels = (0..count).map(|i| (i % classes) as u32).collect();
    Ok(Batch { views: vec![View { images, labels, positions: vec![0; count], mix: None }] })
}

/// A view with the crop, flip and mix-up of training.
fn view() -> ViewConfig {
    let transforms = vec![Transform::Crop { padding: 4 }, Transform::Flip];
    ViewConfig { plan: Plan::Sampled(Sampler::Uniform), transforms, mixup_alpha: Some(1.0) }
}

/// A loader of synthetic images.
fn loader(classes: usize, batches: usize, views: Vec<ViewConfig>, workers: usize) -> Result<Loader> {
    let shape = ImageShape { channels: 3, height: 32, width: 32 };
    let images = BATCH * batches;
    let pixels: Vec<u8> = (0..images * shape.values()).map(|i| (i * i / 7) as u8).collect();
    let labels = (0..images).map(|i| (i % classes) as u32).collect();
    let names = (0..classes).map(|class| class.to_string()).collect();
    let subset = Subset::all(&Dataset::new(shape, pixels, labels, names)?);
    let config = LoaderConfig {
        views,
        epochs: None,
        batch_size: BATCH,
        normalize: Normalize::of(&subset),
        seed: 0,
        workers,
        device: Device::Cpu,
    };
    Ok(Loader::new(&subset, config)?)
}

/// The step of `cifar10-lt-r100/nc-drw`: cross entropy + L_W + L_B on learnable centres, SGD.
fn learner(network: Network, classes: usize) -> Result<Learner> {
    learner_in(Precision::F32, network, classes)
}

fn learner_in(precision: Precision, network: Network, classes: usize) -> Result<Learner> {
    let params = ParamStore::new(0, &Device::Cpu);
    let backbone = network(&params.builder())?;
    learner_of(precision, params, backbone, classes)
}

fn learner_of(
    precision: Precision,
    params: ParamStore,
    backbone: Box<dyn Backbone>,
    classes: usize,
) -> Result<Learner> {
    let phase = presets::find("cifar10-lt-r100/nc-drw")?.phases.remove(0);
    let model = Model::new(params, backbone, &HeadConfig::Linear, classes)?;
    let mut learner = Learner::new(Box::new(model), &vec![BATCH; classes]).in_precision(precision);
    learner.begin_phase(&phase)?;
    learner.begin_epoch(0, 0, &|_, _| unreachable!("this preset initialises centres from N(0, 1)"))?;
    Ok(learner)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// The median; sorts `values`.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Peak memory in MB; `None` except on Linux.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kilobytes / 1e3)
}
