//! Draws a long-tailed subset of the embedded data and iterates over one epoch:
//!
//! ```sh
//! cargo run --release -p nc-data --example long_tail
//! ```
#![allow(clippy::print_stdout)]

use candle_core::Device;
use nc_data::{
    Loader, LoaderConfig, Normalize, Plan, Profile, Result, Sampler, Subset, Transform, ViewConfig,
    fashion_mnist_lt,
};

fn main() -> Result<()> {
    let source = fashion_mnist_lt()?;
    let profile = Profile::Exponential { ratio: 50.0, largest: Some(500) };
    let subset = Subset::draw(&source.train, &profile, 0)?;
    println!("{}, {} images, subset {}", source.name, subset.len(), subset.hash());

    let view = ViewConfig {
        plan: Plan::Sampled(Sampler::ClassBalanced),
        transforms: vec![Transform::Crop { padding: 2 }, Transform::Flip],
        mixup_alpha: Some(1.0),
    };
    let config = LoaderConfig {
        views: vec![view],
        epochs: None,
        batch_size: 128,
        normalize: Normalize::of(&subset),
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = Loader::new(&subset, config)?;
    let mut seen = vec![0; source.train.num_classes()];
    for (number, batch) in loader.epoch(0).enumerate() {
        let view = batch?.into_first();
        for &label in &view.labels {
            seen[label as usize] += 1;
        }
        let lambda = view.mix.map_or(1.0, |mix| mix.lambda);
        println!("batch {number}: {:?}, lambda {lambda:.3}", view.images.dims());
    }

    println!("\n{:<12} {:>6} {:>13}", "class", "images", "in this epoch");
    for ((name, images), seen) in source.train.class_names().iter().zip(subset.class_counts()).zip(seen) {
        println!("{name:<12} {images:>6} {seen:>13}");
    }
    Ok(())
}
