//! Convolutions by layer shape, in floating-point operations a second: forward, input gradient, kernel gradient.
//!
//! The gradients are timed through the graph, so that those of the kernel include packing and batch reduction.

use std::hint::black_box;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nc_kernels::{ConvShape, FeatureMap, conv2d};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const BATCH: usize = 128;

/// Input channels, output channels, side of the image, stride.
const RESNET_32: [(usize, usize, usize, usize); 6] =
    [(3, 16, 32, 1), (16, 16, 32, 1), (16, 32, 32, 2), (32, 32, 16, 1), (32, 64, 16, 2), (64, 64, 8, 1)];
const RESNET_20_GREY: [(usize, usize, usize, usize); 6] =
    [(1, 16, 28, 1), (16, 16, 28, 1), (16, 32, 28, 2), (32, 32, 14, 1), (32, 64, 14, 2), (64, 64, 7, 1)];

fn random(dims: (usize, usize, usize, usize)) -> Tensor {
    Tensor::randn(0f32, 1.0, dims, &Device::Cpu).expect("a CPU tensor")
}

/// Time of `rounds` backward passes of the convolution, with gradients of what is tracked.
fn backward(rounds: u64, x: &FeatureMap, weight: &Tensor, shape: ConvShape, upstream: &Tensor) -> Duration {
    let mut total = Duration::ZERO;
    for _ in 0..rounds {
        let y = conv2d(x, weight, shape).expect("shapes fit");
        let loss = (y.to_tensor().expect("a tensor") * upstream).expect("shapes fit");
        let loss = loss.sum_all().expect("a number");
        let start = Instant::now();
        black_box(loss.backward().expect("gradients"));
        total += start.elapsed();
    }
    total
}

fn layer(c: &mut Criterion, group: &str, (ci, co, side, stride): (usize, usize, usize, usize)) {
    let shape = ConvShape { in_channels: ci, out_channels: co, kernel: 3, stride, padding: 1, groups: 1 };
    let name = format!("{ci}->{co}@{side}/{stride}");
    let out = side.div_ceil(stride);
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements((2 * BATCH * out * out * co * ci * 9) as u64));
    let images = random((BATCH, ci, side, side));
    let weight = random((co, ci, 3, 3));
    // A convolution with an identity kernel puts the images into the layout of a network's inside.
    let inside = |images: &Tensor| {
        let map = FeatureMap::from_images(images).expect("images");
        if ci > 3 { map.max_pool(1, 1, 0).expect("a window of one pixel") } else { map }
    };
    let x = inside(&images);
    group.bench_function(BenchmarkId::new("forward", &name), |b| {
        b.iter(|| black_box(conv2d(&x, &weight, shape).expect("shapes fit")));
    });
    let upstream = random((BATCH, co, out, out));
    let tracked = Var::from_tensor(&weight).expect("a variable");
    group.bench_function(BenchmarkId::new("kernel gradient", &name), |b| {
        b.iter_custom(|rounds| backward(rounds, &x, &tracked, shape, &upstream));
    });
    let images = Var::from_tensor(&images).expect("a variable");
    let x = inside(&images);
    group.bench_function(BenchmarkId::new("input gradient", &name), |b| {
        b.iter_custom(|rounds| backward(rounds, &x, &weight, shape, &upstream));
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    for shape in RESNET_32 {
        layer(c, "resnet32", shape);
    }
    for shape in RESNET_20_GREY {
        layer(c, "resnet20-28x28", shape);
    }
}

fn configured() -> Criterion {
    nc_kernels::threads::init(2).expect("no other pool");
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = kernels; config = configured(); targets = all }
criterion_main!(kernels);
