//! Throughput of preparing batches of 128 images of 3x32x32 with one and two workers: `cargo bench -p nc-data`.

use std::hint::black_box;

use candle_core::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use nc_data::{
    Augment, Dataset, ImageShape, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, ViewConfig,
    rng::{Purpose, stream},
};
use rand::RngCore;

const IMAGES: usize = 12_800;

fn subset() -> Subset {
    let shape = ImageShape { channels: 3, height: 32, width: 32 };
    let mut pixels = vec![0; IMAGES * shape.values()];
    stream(0, Purpose::Subset, 0, 0).fill_bytes(&mut pixels);
    let labels = (0..IMAGES as u32).map(|image| image % 10).collect();
    let names = (0..10).map(|class| class.to_string()).collect();
    Subset::all(&Dataset::new(shape, pixels, labels, names).expect("images fit their labels"))
}

fn loaders(c: &mut Criterion) {
    let subset = subset();
    let normalize = Normalize::of(&subset);
    let crop_and_flip = Some(Augment { crop_padding: 4, flip: true });
    let cases = [
        ("normalise", None, None),
        ("crop, flip", crop_and_flip, None),
        ("mix-up", crop_and_flip, Some(1.0)),
    ];
    let mut group = c.benchmark_group("epoch of 100 batches");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(20);
    for (name, augment, mixup_alpha) in cases {
        for workers in [1, 2] {
            let view = ViewConfig { plan: Plan::Sampled(Sampler::Uniform), augment, mixup_alpha };
            let config = LoaderConfig {
                views: vec![view],
                epochs: None,
                batch_size: 128,
                normalize: normalize.clone(),
                seed: 0,
                workers,
                device: Device::Cpu,
            };
            let loader = Loader::new(&subset, config).expect("a valid configuration");
            group.bench_function(format!("{name}, workers: {workers}"), |b| {
                b.iter(|| {
                    for batch in loader.epoch(0) {
                        black_box(batch.expect("a batch"));
                    }
                });
            });
        }
    }
    group.finish();

    let mut group = c.benchmark_group("subset");
    group.throughput(Throughput::Elements(IMAGES as u64)).sample_size(10);
    group.bench_function("digest order and hash", |b| b.iter(|| Subset::all(black_box(subset.dataset()))));
    group.finish();
}

criterion_group!(benches, loaders);
criterion_main!(benches);
