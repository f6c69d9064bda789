//! Speed of two chains of transforms on one thread, normalisation included: `cargo xtask bench transforms` compares it with
//! torchvision.
//!
//! ```sh
//! cargo run --release -p nc-data --example transforms -- cifar|imagenet IMAGES
//! ```
//!
//! `cifar`: crop, flip, AutoAugment, Cutout on 3x32x32; `imagenet`: random resized crop to 224, flip, colour jitter on
//! 3x256x256. Prints `images_per_second`.

#![allow(clippy::print_stdout)]

use std::{error::Error, hint::black_box, time::Instant};

use candle_core::Device;
use nc_data::{
    Dataset, ImageShape, Interpolation, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, Transform,
    ViewConfig,
    rng::{Purpose, stream},
};
use rand::RngCore;

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().collect();
    let [_, chain, images] = args.as_slice() else {
        return Err("usage: transforms cifar|imagenet IMAGES".into());
    };
    let images: usize = images.parse()?;
    let (side, transforms) = match chain.as_str() {
        "cifar" => (
            32,
            vec![
                Transform::Crop { padding: 4 },
                Transform::Flip,
                Transform::AutoAugmentCifar10,
                Transform::Cutout { length: 16 },
            ],
        ),
        "imagenet" => (
            256,
            vec![
                Transform::RandomResizedCrop {
                    size: Some(224),
                    smallest_area: 0.08,
                    interpolation: Interpolation::Bilinear,
                },
                Transform::Flip,
                Transform::ColorJitter {
                    brightness: 0.4,
                    contrast: 0.4,
                    saturation: 0.4,
                    hue: 0.0,
                    probability: 1.0,
                },
            ],
        ),
        _ => return Err("expected the chain cifar or imagenet".into()),
    };
    let shape = ImageShape { channels: 3, height: side, width: side };
    let distinct = images.min(256);
    let mut pixels = vec![0; distinct * shape.values()];
    stream(0, Purpose::Subset, 0, 0).fill_bytes(&mut pixels);
    let dataset = Dataset::new(shape, pixels, vec![0; distinct], vec!["noise".into()])?;
    let config = LoaderConfig {
        views: vec![ViewConfig { transforms, ..ViewConfig::new(Plan::Sampled(Sampler::Uniform)) }],
        epochs: None,
        batch_size: BATCH,
        normalize: Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] },
        seed: 0,
        workers: 1,
        device: Device::Cpu,
    };
    let loader = Loader::new(&Subset::all(&dataset), config)?;
    let read = |epoch| -> Result<(), Box<dyn Error>> {
        for batch in loader.epoch(epoch) {
            black_box(batch?);
        }
        Ok(())
    };
    read(0)?;
    let epochs = images.div_ceil(distinct);
    let started = Instant::now();
    for epoch in 1..=epochs {
        read(epoch)?;
    }
    println!("images_per_second {:.1}", (epochs * distinct) as f64 / started.elapsed().as_secs_f64());
    Ok(())
}
