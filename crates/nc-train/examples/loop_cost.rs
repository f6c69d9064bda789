//! Measures what the trainer's loop adds to a training step: events, claims on the run directory, progress, checkpoints
//! that are not due. The backbone computes nothing, so that the rest of the step is short.
//!
//! ```sh
//! cargo run --release -p nc-train --example loop_cost
//! ```

#![allow(clippy::print_stdout)]

use std::{error::Error, time::Instant};

use candle_core::{Device, Tensor};
use nc_kernels::allocator::{MiMalloc, keep_freed_memory};
use nc_models::{Backbone, HeadConfig, Model, ParamStore, Pass};
use nc_record::Event;
use nc_train::{Learner, Observer, RunOptions, Settings, Step, ValidExperiment, train_backbone};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const FEATURES: usize = 64;
const ROUNDS: usize = 9;

/// The first pixels as features.
struct Nothing;

impl Backbone for Nothing {
    fn forward(&self, images: &Tensor, _: Pass) -> nc_models::Result<Tensor> {
        Ok(images.flatten_from(1)?.narrow(1, 0, FEATURES)?.contiguous()?)
    }

    fn feature_dim(&self) -> usize {
        FEATURES
    }
}

/// Times of the loop's steps, without the time waiting for data.
struct Times(Vec<f64>);

impl Observer for Times {
    fn event(&mut self, _: &Event) {}

    fn step(&mut self, step: &Step<'_>) {
        self.0.push(step.seconds - step.waited);
    }
}

/// In microseconds. Rare work, such as renewing the claim, counts as well.
fn mean(seconds: &[f64]) -> f64 {
    seconds.iter().sum::<f64>() / seconds.len() as f64 * 1e6
}

/// Times of the steps of a run.
fn in_the_loop(experiment: &ValidExperiment) -> Result<Vec<f64>, Box<dyn Error>> {
    let out = tempfile::tempdir()?;
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let mut times = Times(vec![]);
    train_backbone(experiment, "nothing", |_, _| Ok(Box::new(Nothing)), &options, &mut times)?;
    Ok(times.0)
}

/// Times of the learner's steps on as many batches of the same size.
fn alone(experiment: &ValidExperiment) -> Result<Vec<f64>, Box<dyn Error>> {
    let source = nc_data::fashion_mnist_lt()?;
    let subset = nc_data::Subset::all(&source.train);
    let phase = &experiment.phases[0];
    let config = nc_data::LoaderConfig {
        views: vec![nc_data::ViewConfig::new(nc_data::Plan::Sampled(nc_data::Sampler::Uniform))],
        epochs: None,
        batch_size: phase.batch_size,
        normalize: nc_data::Normalize { mean: vec![0.5], std: vec![0.5] },
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = nc_data::Loader::new(&subset, config)?;
    let classes = source.train.num_classes();
    let network = Model::new(ParamStore::new(0, &Device::Cpu), Nothing, &HeadConfig::Linear, classes)?;
    let mut learner = Learner::new(Box::new(network), subset.class_counts());
    learner.begin_phase(phase)?;
    let mut times = vec![];
    for epoch in 0..phase.epochs {
        learner.begin_epoch(epoch, 0, &|_, _| unreachable!("cross entropy has no centres"))?;
        for batch in loader.epoch(epoch) {
            let batch = batch?;
            let started = Instant::now();
            learner.step(&batch, 0.01)?;
            times.push(started.elapsed().as_secs_f64());
        }
    }
    Ok(times)
}

fn main() -> Result<(), Box<dyn Error>> {
    keep_freed_memory();
    let settings = Settings { preset: Some("fashion-mnist-lt/ce"), epochs: Some(40), ..Settings::default() };
    let experiment = settings.resolve()?;
    println!("us per step: in the loop, alone, difference");
    let mut costs = vec![];
    for _ in 0..ROUNDS {
        let (whole, alone) = (mean(&in_the_loop(&experiment)?), mean(&alone(&experiment)?));
        println!("{whole:.0} {alone:.0} {:.0}", whole - alone);
        costs.push(whole - alone);
    }
    costs.sort_by(f64::total_cmp);
    println!("median difference of {ROUNDS} rounds: {:.0} us", costs[ROUNDS / 2]);
    Ok(())
}
