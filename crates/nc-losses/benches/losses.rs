//! Forward and backward of the losses at CIFAR and ImageNet-LT sizes.

use candle_core::{Device, Result, Tensor, Var};
use criterion::{Criterion, criterion_group, criterion_main};
use nc_losses::{BetweenForm, between_class, cross_entropy, supervised_contrastive_each, within_class};

/// The trainer's allocator, which keeps the pages of large tensors. The default one returns them to the system and
/// faults them in again.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Variables and labels of one batch.
struct Batch {
    features: Var,
    centers: Var,
    logits: Var,
    labels: Tensor,
}

impl Batch {
    fn new(samples: usize, classes: usize, dimensions: usize) -> Result<Self> {
        let device = &Device::Cpu;
        let labels: Vec<u32> = (0..samples).map(|i| (i * i % classes) as u32).collect();
        Ok(Self {
            features: Var::randn(0f32, 1.0, (samples, dimensions), device)?,
            centers: Var::randn(0f32, 1.0, (classes, dimensions), device)?,
            logits: Var::randn(0f32, 1.0, (samples, classes), device)?,
            labels: Tensor::from_vec(labels, samples, device)?,
        })
    }

    fn within(&self) -> nc_losses::Result<Tensor> {
        within_class(&self.features, &self.labels, &self.centers)
    }

    fn between(&self) -> nc_losses::Result<Tensor> {
        between_class(&self.centers, BetweenForm::MeanMinAngle)
    }

    fn both(&self) -> nc_losses::Result<Tensor> {
        Ok(((self.within()? * 0.01)? + (self.between()? * 0.1)?)?)
    }

    fn cross_entropy(&self) -> nc_losses::Result<Tensor> {
        cross_entropy(&self.logits, &self.labels)
    }

    fn supervised_contrastive(&self) -> nc_losses::Result<Tensor> {
        supervised_contrastive_each(&self.features, &self.labels, 0.1)?.mean()
    }
}

type Loss = fn(&Batch) -> nc_losses::Result<Tensor>;

const LOSSES: [(&str, Loss); 5] = [
    ("within_class", Batch::within),
    ("between_class", Batch::between),
    ("within_and_between", Batch::both),
    ("cross_entropy", Batch::cross_entropy),
    ("supervised_contrastive", Batch::supervised_contrastive),
];

fn losses(criterion: &mut Criterion) {
    for (samples, classes, dimensions) in [(128, 10, 64), (128, 100, 64), (256, 1000, 2048)] {
        let batch = Batch::new(samples, classes, dimensions).expect("batch fits in memory");
        let mut group = criterion.benchmark_group(format!("B{samples}_K{classes}_P{dimensions}"));
        for (name, loss) in LOSSES {
            let step = || loss(&batch).and_then(|loss| Ok(loss.backward()?)).expect("valid arguments");
            group.bench_function(name, |bencher| bencher.iter(step));
        }
        group.finish();
    }
}

criterion_group!(benches, losses);
criterion_main!(benches);
