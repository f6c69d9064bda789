//! Draws a long-tailed subset of the embedded Fashion-MNIST and loads one class-balanced batch of it.

use candle_core::Device;
use nc_data::{Loader, LoaderConfig, Normalize, Profile, Result, Sampler, Subset, fashion_mnist_lt};

fn main() -> Result<()> {
    let source = fashion_mnist_lt()?;
    let profile = Profile::Exponential { ratio: 50.0, largest: Some(500) };
    let subset = Subset::draw(&source.train, &profile, 0)?;
    println!("images of each class: {:?}", subset.class_counts());

    let config = LoaderConfig {
        batch_size: 32,
        augment: None,
        normalize: Normalize::of(&subset),
        mixup_alpha: None,
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = Loader::new(&subset, Sampler::ClassBalanced, config)?;
    for batch in loader.epoch(0).take(1) {
        let batch = batch?;
        println!("images {:?}, {} labels", batch.images.dims(), batch.labels.len());
    }
    Ok(())
}
