//! Convolution throughput in FLOP/s by layer shape: forward, input gradient, kernel gradient.

use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use nc_kernels::ConvShape;
use nc_kernels::bench::convolution;
use nc_kernels::gpu::Precision;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Images of a batch.
const BATCH: usize = 128;
/// Photographs of a batch.
const PHOTOGRAPHS: usize = 32;

/// Input channels, output channels, image side, kernel, stride, groups.
type LayerShape = (usize, usize, usize, usize, usize, usize);

/// CIFAR ResNet-32.
const RESNET_32: [LayerShape; 6] = [
    (3, 16, 32, 3, 1, 1),
    (16, 16, 32, 3, 1, 1),
    (16, 32, 32, 3, 2, 1),
    (32, 32, 16, 3, 1, 1),
    (32, 64, 16, 3, 2, 1),
    (64, 64, 8, 3, 1, 1),
];

/// ResNet-20 on 28x28 grey-scale images.
const RESNET_20_GREY: [LayerShape; 6] = [
    (1, 16, 28, 3, 1, 1),
    (16, 16, 28, 3, 1, 1),
    (16, 32, 28, 3, 2, 1),
    (32, 32, 14, 3, 1, 1),
    (32, 64, 14, 3, 2, 1),
    (64, 64, 7, 3, 1, 1),
];

/// ResNet-18 with the stem for small images.
const RESNET_18: [LayerShape; 8] = [
    (64, 64, 32, 3, 1, 1),
    (64, 128, 32, 3, 2, 1),
    (64, 128, 32, 1, 2, 1),
    (128, 128, 16, 3, 1, 1),
    (128, 256, 16, 3, 2, 1),
    (256, 256, 8, 3, 1, 1),
    (256, 512, 8, 3, 2, 1),
    (512, 512, 4, 3, 1, 1),
];

/// Further layers: a 7x7 stem, a projection shortcut and a bottleneck (general kernels), and ResNeXt's grouped
/// convolution (direct kernel).
const GENERAL: [LayerShape; 4] =
    [(3, 64, 64, 7, 2, 1), (64, 128, 16, 1, 2, 1), (64, 64, 16, 1, 1, 1), (128, 128, 16, 3, 1, 32)];

/// Bottlenecks of ResNet-50, and the grouped convolutions of ResNeXt-50, on photographs of 224 pixels.
const RESNET_50: [LayerShape; 14] = [
    (64, 64, 56, 3, 1, 1),
    (128, 128, 28, 3, 1, 1),
    (256, 256, 14, 3, 1, 1),
    (512, 512, 7, 3, 1, 1),
    (256, 64, 56, 1, 1, 1),
    (64, 256, 56, 1, 1, 1),
    (512, 128, 28, 1, 1, 1),
    (256, 1024, 14, 1, 1, 1),
    (2048, 512, 7, 1, 1, 1),
    (256, 512, 56, 1, 2, 1),
    (128, 128, 56, 3, 1, 32),
    (256, 256, 28, 3, 1, 32),
    (512, 512, 14, 3, 1, 32),
    (1024, 1024, 7, 3, 1, 32),
];

fn layer(
    c: &mut Criterion,
    group: &str,
    precision: Precision,
    images: usize,
    (ci, co, side, kernel, stride, groups): LayerShape,
) {
    let shape = ConvShape { in_channels: ci, out_channels: co, kernel, stride, padding: kernel / 2, groups };
    let mut convolution = convolution(precision, shape, images, side, side).expect("valid convolution");
    let mut name = format!("{ci}->{co}@{side} {kernel}x{kernel}/{stride}");
    if groups > 1 {
        name = format!("{name} in {groups} groups");
    }
    let mut group = c.benchmark_group(group);
    group.throughput(Throughput::Elements(convolution.operations()));
    group.bench_function(BenchmarkId::new("forward", &name), |b| b.iter(|| convolution.forward()));
    if ci > 3 {
        group.bench_function(BenchmarkId::new("input gradient", &name), |b| {
            b.iter(|| convolution.input_gradient());
        });
    }
    group.bench_function(BenchmarkId::new("kernel gradient", &name), |b| {
        b.iter(|| convolution.kernel_gradient());
    });
    group.finish();
}

fn all(c: &mut Criterion) {
    let sets = [
        ("resnet32", &RESNET_32[..]),
        ("resnet18", &RESNET_18),
        ("resnet20-28x28", &RESNET_20_GREY),
        ("general", &GENERAL),
    ];
    for (group, shapes) in [("resnet32-bf16", &RESNET_32[..]), ("resnet18-bf16", &RESNET_18)] {
        for shape in shapes {
            layer(c, group, Precision::Bf16, BATCH, *shape);
        }
    }
    for (group, shapes) in sets {
        for shape in shapes {
            layer(c, group, Precision::F32, BATCH, *shape);
        }
    }
    for shape in RESNET_50 {
        layer(c, "resnet50", Precision::F32, PHOTOGRAPHS, shape);
    }
}

fn configured() -> Criterion {
    nc_kernels::threads::init(2).expect("no thread pool exists yet");
    Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
}

criterion_group! { name = kernels; config = configured(); targets = all }
criterion_main!(kernels);
