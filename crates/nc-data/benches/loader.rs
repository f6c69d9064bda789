//! Throughput of preparing batches of 128 images of 3x32x32 with one and two workers, and of 32 images of 3x256x256
//! with one: `cargo bench -p nc-data`.

use std::hint::black_box;

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nc_data::{
    Dataset, ImageShape, Interpolation, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, Transform,
    ViewConfig,
    rng::{Purpose, stream},
};
use rand::RngCore;

const IMAGES: usize = 12_800;
/// Images of 256x256.
const LARGE: usize = 256;

fn subset(images: usize, side: usize) -> Subset {
    let shape = ImageShape { channels: 3, height: side, width: side };
    let mut pixels = vec![0; images * shape.values()];
    stream(0, Purpose::Subset, 0, 0).fill_bytes(&mut pixels);
    let labels = (0..images as u32).map(|image| image % 10).collect();
    let names = (0..10).map(|class| class.to_string()).collect();
    Subset::all(&Dataset::new(shape, pixels, labels, names).expect("images fit their labels"))
}

fn uniform(transforms: &[Transform]) -> ViewConfig {
    ViewConfig { transforms: transforms.to_vec(), ..ViewConfig::new(Plan::Sampled(Sampler::Uniform)) }
}

fn loader(subset: &Subset, views: Vec<ViewConfig>, batch_size: usize, workers: usize) -> Loader {
    let config = LoaderConfig {
        views,
        epochs: None,
        batch_size,
        normalize: Normalize { mean: vec![0.5; 3], std: vec![0.25; 3] },
        seed: 0,
        workers,
        device: Device::Cpu,
    };
    Loader::new(subset, config).expect("a valid configuration")
}

fn read(loader: &Loader) {
    for batch in loader.epoch(0) {
        black_box(batch.expect("a batch"));
    }
}

fn jitter(hue: f64, probability: f64) -> Transform {
    Transform::ColorJitter { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue, probability }
}

fn loaders(c: &mut Criterion) {
    let small = subset(IMAGES, 32);
    let crop_and_flip = [Transform::Crop { padding: 4 }, Transform::Flip];
    let policy = [Transform::AutoAugmentCifar10, Transform::Cutout { length: 16 }];
    let strong = uniform(&[&crop_and_flip[..], &policy[..]].concat());
    let contrastive = ViewConfig {
        plan: Plan::SameAs(0),
        ..uniform(&[
            Transform::RandomResizedCrop {
                size: Some(32),
                smallest_area: 0.08,
                interpolation: Interpolation::Bilinear,
            },
            Transform::Flip,
            jitter(0.1, 0.8),
            Transform::Grey { probability: 0.2 },
        ])
    };
    let mixup = ViewConfig { mixup_alpha: Some(1.0), ..uniform(&crop_and_flip) };
    let cases = [
        ("normalise", vec![uniform(&[])]),
        ("crop, flip", vec![uniform(&crop_and_flip)]),
        ("mix-up", vec![mixup]),
        ("crop, flip, AutoAugment, Cutout", vec![strong.clone()]),
        ("AutoAugment and SimCLR views", vec![strong, contrastive]),
    ];
    let mut group = c.benchmark_group("epoch of 100 batches");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(20);
    for (name, views) in cases {
        for workers in [1, 2] {
            let loader = loader(&small, views.clone(), 128, workers);
            group.bench_function(format!("{name}, workers: {workers}"), |b| b.iter(|| read(&loader)));
        }
    }
    group.finish();

    let large = subset(LARGE, 256);
    let crop = [
        Transform::RandomResizedCrop {
            size: Some(224),
            smallest_area: 0.08,
            interpolation: Interpolation::Bilinear,
        },
        Transform::Flip,
    ];
    let rand_augment =
        Transform::RandAugment { layers: 2, magnitude: 10.0, deviation: 0.5, fill: [124, 116, 104] };
    let strong = [jitter(0.1, 0.8), Transform::Grey { probability: 0.2 }, rand_augment];
    let cases = [
        ("resized crop, flip, jitter", [&crop[..], &[jitter(0.0, 1.0)]].concat()),
        ("resized crop, flip, jitter, grey, RandAugment", [&crop[..], &strong[..]].concat()),
    ];
    let mut group = c.benchmark_group("epoch of 8 batches of 224x224");
    group.throughput(Throughput::Elements(LARGE as u64)).sample_size(10);
    for (name, transforms) in cases {
        let loader = loader(&large, vec![uniform(&transforms)], 32, 1);
        group.bench_function(format!("{name}, workers: 1"), |b| b.iter(|| read(&loader)));
    }
    group.finish();

    let mut group = c.benchmark_group("subset");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(10);
    group.bench_function("digest order and hash", |b| b.iter(|| Subset::all(black_box(small.dataset()))));
    group.finish();
}

criterion_group!(benches, loaders);
criterion_main!(benches);
