//! Run time of the passes on one thread: `cargo bench -p nc-metrics`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use nc_metrics::{Accuracy, Calibration, ClassMeans, Classifier, NeuralCollapse, NeuralCollapseAccumulator};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use rand_distr::{Distribution, StandardNormal};

fn normal(count: usize) -> Vec<f32> {
    let rng = ChaCha8Rng::seed_from_u64(0);
    let values: Vec<f32> = StandardNormal.sample_iter(rng).take(count).collect();
    values
}

fn labels(samples: usize, classes: usize) -> Vec<u32> {
    (0..samples).map(|sample| (sample % classes) as u32).collect()
}

/// All metrics of a CIFAR-10 training set, in memory.
fn cifar(c: &mut Criterion) {
    let (samples, classes, dims) = (50_000, 10, 64);
    let (features, labels) = (normal(samples * dims), labels(samples, classes));
    let classifier = Classifier::new(&normal(classes * dims), None, classes, dims).unwrap();
    let logits = normal(samples * classes);
    let mut group = c.benchmark_group("50000x64, 10 classes");
    group.sample_size(20);
    group.bench_function("neural collapse", |b| {
        b.iter(|| NeuralCollapse::of(black_box(&features), &labels, classes, dims, Some(&classifier)));
    });
    group.bench_function("accuracy", |b| {
        b.iter(|| Accuracy::of(black_box(&logits), &labels, &vec![5000; classes]));
    });
    group.bench_function("calibration", |b| {
        b.iter(|| Calibration::of(black_box(&logits), &labels, classes));
    });
}

/// Accumulators at ImageNet-LT size, per 4,096 samples.
fn imagenet(c: &mut Criterion) {
    let (samples, classes, dims) = (4096, 1000, 2048);
    let (features, labels) = (normal(samples * dims), labels(samples, classes));
    let classifier = Classifier::new(&normal(classes * dims), None, classes, dims).unwrap();
    let means = ClassMeans::of(&features, &labels, classes, dims).unwrap();
    let mut group = c.benchmark_group("4096x2048, 1000 classes");
    group.sample_size(10);
    group.bench_function("first pass", |b| {
        b.iter(|| ClassMeans::of(black_box(&features), &labels, classes, dims));
    });
    group.bench_function("preparing the second pass", |b| {
        b.iter(|| NeuralCollapseAccumulator::new(black_box(&means), Some(&classifier)).is_ok());
    });
    let mut accumulator = NeuralCollapseAccumulator::new(&means, Some(&classifier)).unwrap();
    group.bench_function("second pass", |b| {
        b.iter(|| accumulator.update(black_box(&features), &labels));
    });
    group.bench_function("finishing", |b| {
        b.iter(|| accumulator.clone().finish());
    });
}

criterion_group!(benches, cifar, imagenet);
criterion_main!(benches);
