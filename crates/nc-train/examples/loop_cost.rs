//! Measures what the trainer's loop adds to a training step: events, claims on the run directory, progress, checkpoints
//! that are not due. The backbone computes nothing, so that the rest of the step is short.
//!
//! ```sh
//! cargo run --release -p nc-train --example loop_cost
//! ```

#![allow(clippy::print_stdout)]

use std::{error::Error, time::Instant};

use candle_core::Tensor;
use nc_models::{Backbone, HeadConfig, Model, ParamStore, Pass};
use nc_record::Event;
use nc_train::{Learner, Observer, RunOptions, Settings, Step, train_backbone};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const FEATURES: usize = 64;

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

fn median_us(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2] * 1e6
}

fn main() -> Result<(), Box<dyn Error>> {
    let settings = Settings { preset: Some("fashion-mnist-lt/ce"), epochs: Some(40), ..Settings::default() };
    let experiment = settings.resolve()?;
    let out = tempfile::tempdir()?;
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let mut times = Times(vec![]);
    train_backbone(&experiment, "nothing", |_, _| Ok(Box::new(Nothing)), &options, &mut times)?;

    let source = nc_data::fashion_mnist_lt()?;
    let subset = nc_data::Subset::all(&source.train);
    let config = nc_data::LoaderConfig {
        views: vec![nc_data::ViewConfig::new(nc_data::Plan::Sampled(nc_data::Sampler::Uniform))],
        epochs: None,
        batch_size: experiment.phases[0].batch_size,
        normalize: nc_data::Normalize { mean: vec![0.5], std: vec![0.5] },
        seed: 0,
        workers: 0,
        device: candle_core::Device::Cpu,
    };
    let batch = nc_data::Loader::new(&subset, config)?.epoch(0).next().ok_or("no batch")??;
    let network = Model::new(
        ParamStore::new(0, &candle_core::Device::Cpu),
        Nothing,
        &HeadConfig::Linear,
        source.train.num_classes(),
    )?;
    let mut learner = Learner::new(Box::new(network), subset.class_counts());
    learner.begin_phase(&experiment.phases[0])?;
    learner.begin_epoch(0, 0, &|_, _| unreachable!("cross entropy has no centres"))?;
    let mut alone = vec![];
    for _ in 0..times.0.len() {
        let started = Instant::now();
        learner.step(&batch, 0.01)?;
        alone.push(started.elapsed().as_secs_f64());
    }
    let steps = alone.len();
    let (whole, alone) = (median_us(times.0), median_us(alone));
    println!(
        "{steps} steps, medians: {whole:.0} us in the loop, {alone:.0} us alone, {:.0} us for the loop",
        whole - alone
    );
    Ok(())
}
