//! Draws a long-tailed subset of the embedded Fashion-MNIST and loads one class-balanced batch.

use candle_core::Device;
use nc_data::{
    Loader, LoaderConfig, Normalize, Plan, Profile, Result, Sampler, Subset, ViewConfig, fashion_mnist_lt,
};

fn main() -> Result<()> {
    let source = fashion_mnist_lt()?;
    let profile = Profile::Exponential { ratio: 50.0, largest: Some(500) };
    let subset = Subset::draw(&source.train, &profile, 0)?;
    println!("images of each class: {:?}", subset.class_counts());

    let config = LoaderConfig {
        views: vec![ViewConfig::new(Plan::Sampled(Sampler::ClassBalanced))],
        epochs: None,
        batch_size: 32,
        normalize: Normalize::of(&subset),
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = Loader::new(&subset, config)?;
    for batch in loader.epoch(0).take(1) {
        let view = batch?.into_first();
        println!("images {:?}, {} labels", view.images.dims(), view.labels.len());
    }
    Ok(())
}
