use std::{cell::Cell, fs, path::Path};

use candle_core::{DType, Var};
use nc_data::{Mix, View};
use nc_models::{HeadConfig, Model, ParamStore, ResNet, ResNetConfig};

use super::*;
use crate::{
    config::{AdamWConfig, CenterInit, Centers, OptimizerConfig},
    losses::{Counts, LogitAdjustment, SupervisedLoss},
    presets,
};

thread_local! {
    /// Device reads by steps of this thread.
    pub(super) static READS: Cell<usize> = const { Cell::new(0) };
}

const CLASSES: usize = 3;

fn learner(phase: &Phase) -> Learner {
    let params = ParamStore::new(0, &Device::Cpu);
    let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1).unwrap(), &params.builder()).unwrap();
    let network = Model::new(params, resnet, &HeadConfig::Linear, CLASSES).unwrap();
    let mut learner = Learner::new(Box::new(network), &[30, 10, 2]);
    learner.begin_phase(phase).unwrap();
    begin_epoch(&mut learner);
    learner
}

fn begin_epoch(learner: &mut Learner) {
    learner.begin_epoch(0, 0, &|_, _| unreachable!()).unwrap();
}

/// NC-DRW with the given `centers`.
fn phase(centers: Centers) -> Phase {
    let mut phase = presets::find("cifar10-lt-r100/nc-drw").unwrap().phases.remove(0);
    phase.objective.neural_collapse.as_mut().unwrap().centers = centers;
    phase
}

const LEARNABLE: Centers = Centers::Learnable { learning_rate: 0.5, init: CenterInit::Normal };

fn batch(brightness: f32) -> Batch {
    let pixels: Vec<f32> = (0..6 * 64).map(|i| brightness * ((i * 37 % 101) as f32 / 50.0 - 1.0)).collect();
    let images = Tensor::from_vec(pixels, (6, 1, 8, 8), &Device::Cpu).unwrap();
    let mix = Some(Mix { lambda: 0.7, partner: vec![1, 0, 0, 2, 1, 0] });
    Batch { views: vec![View { images, labels: vec![0, 0, 1, 1, 2, 0], positions: (0..6).collect(), mix }] }
}

fn values(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

#[test]
fn a_pass_reads_from_the_device_once() {
    let moving = Centers::MovingAverage { momentum: 0.9, init: CenterInit::Normal };
    let mut phases = vec![phase(LEARNABLE), phase(moving), phase(Centers::BatchMeans)];
    let mut arb = phase(LEARNABLE);
    let counts = LogitAdjustment { tau: 1.0, counts: Counts::Batch };
    arb.objective.loss = SupervisedLoss::LogitAdjustment(counts);
    let mut adamw = arb.clone();
    let clipped = AdamWConfig { clip_norm: Some(1.0), ..AdamWConfig::new(0.1) };
    adamw.optimizer = OptimizerConfig::AdamW(clipped);
    if let OptimizerConfig::Sgd(sgd) = &mut arb.optimizer {
        sgd.clip_norm = Some(1.0);
    }
    let averaged = Phase { weight_average: Some(0.9), ..phase(LEARNABLE) };
    let perturbed = Phase { sam_rho: 0.1, ..phase(LEARNABLE) };
    phases.extend([arb, adamw, averaged, perturbed]);
    for phase in phases {
        let mut learner = learner(&phase);
        READS.set(0);
        learner.step(&batch(1.0), 0.1).unwrap();
        let passes = if phase.sam_rho > 0.0 { 2 } else { 1 };
        assert_eq!(READS.get(), passes, "{:?}", phase.objective);
    }
}

/// Ensures that the count of `a_pass_reads_from_the_device_once` is complete.
#[test]
fn only_read_scalars_reads_in_a_step() {
    let source = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut files: Vec<_> =
        ["learner.rs", "weight_average.rs", "with_values.rs"].iter().map(|name| source.join(name)).collect();
    for folder in ["optimizer", "objective", "objective/contrast", "losses"] {
        let entries = fs::read_dir(source.join(folder)).unwrap().map(|entry| entry.unwrap().path());
        files.extend(entries.filter(|path| path.is_file()));
    }
    let mut reads = vec![];
    for file in &files {
        let text = fs::read_to_string(file).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = code.lines().filter(|line| line.contains(".to_vec") || line.contains(".to_scalar"));
        // Copies of host data.
        let of_host = ["labels.to_vec()", "counts.to_vec()", "dims().to_vec()"];
        let lines = lines.filter(|line| !of_host.iter().any(|copy| line.contains(copy)));
        reads.extend(lines.map(|line| (file.file_name().unwrap().to_owned(), line.trim().to_owned())));
    }
    reads.sort();
    let expected = [
        // Restores a checkpoint.
        ("adamw.rs".into(), "let halves: Vec<f32> = tensor.to_vec1()?;".to_owned()),
        ("learner.rs".into(), "Ok(values.to_vec1()?)".to_owned()),
        // Restore a checkpoint.
        (
            "probabilistic.rs".into(),
            "EPOCH => self.epoch = tensor.to_vec1::<f32>()?.first().map(|&epoch| epoch as usize),".to_owned(),
        ),
        (
            "queue.rs".into(),
            "self.labels = tensor.to_vec1::<f32>()?.into_iter().map(|label| label as u32).collect();"
                .to_owned(),
        ),
        // `Sgd::step` and `AdamW::step`, for custom loops.
        ("trainable.rs".into(), "let norm = squares.sum_all()?.to_scalar::<f64>()?.sqrt();".to_owned()),
    ];
    assert_eq!(reads, expected);
}

#[test]
fn non_finite_steps_change_no_parameter() {
    let perturbed = Phase { sam_rho: 0.1, weight_average: Some(0.9), ..phase(LEARNABLE) };
    // At a perturbation this large, the second pass overflows.
    let thrown = Phase { sam_rho: 1e30, ..phase(LEARNABLE) };
    for (phase, brightness) in [
        (phase(LEARNABLE), f32::NAN),
        (phase(LEARNABLE), f32::INFINITY),
        (perturbed, f32::NAN),
        (thrown, 1.0),
    ] {
        let mut learner = learner(&Phase { sam_rho: 0.0, ..phase.clone() });
        learner.step(&batch(1.0), 0.1).unwrap();
        let learned = |learner: &Learner| -> Vec<(String, Vec<f32>)> {
            let state = learner.state().unwrap().into_iter().filter(|(name, _)| !name.contains("running_"));
            state.map(|(name, tensor)| (name, values(&tensor))).collect()
        };
        learner.phase.as_mut().unwrap().sam_rho = phase.sam_rho;
        let before = learned(&learner);
        let outcome = learner.step(&batch(brightness), 0.1).unwrap();
        assert!(outcome.not_finite().is_some(), "{outcome:?}");
        assert_eq!(learned(&learner), before, "{brightness}");
    }
    let outcome = |gradient_norm, objective_gradient_norm| StepOutcome {
        losses: EpochLosses { total: 1.0, ..EpochLosses::default() },
        gradient_norm,
        objective_gradient_norm,
    };
    assert!(matches!(outcome(f64::INFINITY, 1.0).not_finite(), Some(NotFinite::Gradient(_))));
    assert!(matches!(outcome(1.0, f64::NAN).not_finite(), Some(NotFinite::Gradient(_))));
    assert_eq!(outcome(1.0, 1.0).not_finite(), None);
}

#[test]
fn a_restored_learner_takes_the_same_steps() {
    let moving = phase(Centers::MovingAverage { momentum: 0.9, init: CenterInit::Normal });
    let adamw = Phase { optimizer: OptimizerConfig::AdamW(AdamWConfig::new(0.1)), ..phase(LEARNABLE) };
    let momentum: &[&str] = &["momentum/conv1.weight"];
    let moments: &[&str] =
        &["adamw/first/conv1.weight", "adamw/second/conv1.weight", "adamw/steps/conv1.weight"];
    let average: &[&str] = &["average/conv1.weight", "average/bn1.running_mean"];
    let averaged = Phase { weight_average: Some(0.9), sam_rho: 0.1, ..phase(LEARNABLE) };
    for (phase, names) in
        [(phase(LEARNABLE), momentum), (moving, momentum), (adamw, moments), (averaged, average)]
    {
        let mut whole = learner(&phase);
        whole.step(&batch(1.0), 0.1).unwrap();
        let state: BTreeMap<String, Tensor> =
            whole.state().unwrap().into_iter().map(|(name, tensor)| (name, tensor.copy().unwrap())).collect();
        assert!(state.contains_key("centers") && names.iter().all(|name| state.contains_key(*name)));
        let mut resumed = learner(&phase);
        resumed.resume_phase(&phase, state, Path::new("checkpoint")).unwrap();
        begin_epoch(&mut resumed);
        for learner in [&mut whole, &mut resumed] {
            learner.step(&batch(0.5), 0.1).unwrap();
            learner.step(&batch(0.7), 0.1).unwrap();
        }
        let (whole, resumed) = (whole.state().unwrap(), resumed.state().unwrap());
        assert_eq!(whole.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>());
        for (name, tensor) in &whole {
            assert_eq!(values(tensor), values(&resumed[name]), "{name}");
        }
    }
}

/// A ResNet-8 with the head and projection of a preset for CIFAR-10, and the preset's first phase.
fn preset_learner(name: &str) -> (Learner, Phase) {
    let experiment = presets::find(&format!("cifar10-lt-r100/{name}")).unwrap();
    let params = ParamStore::new(0, &Device::Cpu);
    let config = ResNetConfig::cifar(8, 1, 1).unwrap();
    let resnet = ResNet::new(config, &params.builder()).unwrap();
    let model = Model::new(params, resnet, &experiment.model.head, 3).unwrap();
    let model = model.with_projection(experiment.model.projection.unwrap()).unwrap();
    (Learner::new(Box::new(model), &[30, 10, 2]), experiment.phases[0].clone())
}

#[test]
fn a_restored_contrastive_learner_takes_the_same_steps() {
    for (name, epoch, state_of) in [
        ("kcl", 0, None),
        ("tsc", 500, Some("contrast/centroids")),
        ("tsc-queue", 200, Some("contrast/keys")),
        ("fcl", 0, Some("contrast/encoder/projection.output.weight")),
        ("bcl", 0, None),
        ("proco", 1, Some("contrast/current")),
        ("class-mean-contrast", 0, Some("contrast/means")),
    ] {
        let (mut whole, phase) = preset_learner(name);
        let batch = |brightness| {
            let view = batch(brightness).views.remove(0);
            Batch { views: vec![view; phase.views.len()] }
        };
        let begin =
            |learner: &mut Learner, epoch| learner.begin_epoch(epoch, 7, &|_, _| unreachable!()).unwrap();
        whole.begin_phase(&phase).unwrap();
        if let Some(before) = usize::checked_sub(epoch, 1) {
            begin(&mut whole, before);
            whole.step(&batch(0.8), 0.1).unwrap();
        }
        begin(&mut whole, epoch);
        whole.step(&batch(1.0), 0.1).unwrap();
        let state: BTreeMap<String, Tensor> =
            whole.state().unwrap().into_iter().map(|(name, tensor)| (name, tensor.copy().unwrap())).collect();
        assert!(state_of.is_none_or(|name| state.contains_key(name)), "{name}: {:?}", state.keys());
        let (mut resumed, _) = preset_learner(name);
        resumed.resume_phase(&phase, state, Path::new("checkpoint")).unwrap();
        begin(&mut resumed, epoch);
        for learner in [&mut whole, &mut resumed] {
            learner.step(&batch(0.5), 0.1).unwrap();
            begin(learner, epoch + 1);
            learner.step(&batch(0.7), 0.1).unwrap();
        }
        let (whole, resumed) = (whole.state().unwrap(), resumed.state().unwrap());
        assert_eq!(whole.keys().collect::<Vec<_>>(), resumed.keys().collect::<Vec<_>>(), "{name}");
        for (tensor, value) in &whole {
            assert_eq!(values(value), values(&resumed[tensor]), "{name}: {tensor}");
        }
    }
}

#[test]
fn a_diverged_matching_is_reported_as_a_step() {
    let (mut learner, phase) = preset_learner("tsc");
    learner.begin_phase(&phase).unwrap();
    learner.begin_epoch(500, 0, &|_, _| unreachable!()).unwrap();
    for (name, var) in learner.network().unwrap().params().vars() {
        if name.starts_with("projection.output") {
            var.set(&(var.as_tensor() * f64::INFINITY).unwrap()).unwrap();
        }
    }
    let view = batch(1.0).views.remove(0);
    let outcome = learner.step(&Batch { views: vec![view; 2] }, 0.1).unwrap();
    assert!(outcome.not_finite().is_some(), "{outcome:?}");
}

#[test]
fn a_contrastive_phase_leaves_the_classifier_alone() {
    let (mut learner, phase) = preset_learner("kcl");
    let head = |learner: &Learner| values(&learner.state().unwrap()["model/linear.weight"]);
    let before = head(&learner);
    learner.begin_phase(&phase).unwrap();
    learner.begin_epoch(0, 0, &|_, _| unreachable!()).unwrap();
    let view = batch(1.0).views.remove(0);
    let outcome = learner.step(&Batch { views: vec![view; 2] }, 0.1).unwrap();
    assert_eq!(outcome.losses.terms.keys().collect::<Vec<_>>(), ["contrast"]);
    assert_eq!(head(&learner), before);
}

#[test]
fn unknown_tensors_are_rejected() {
    for name in [
        "center",
        "momentum/no.such",
        "adamw/steps/conv1.weight",
        "objective/contrastive/queue",
        "average/conv1.weight",
        "model/linear.extra",
    ] {
        let phase = phase(LEARNABLE);
        let mut state = learner(&phase).state().unwrap();
        state.insert(name.to_owned(), Tensor::zeros((3, 64), DType::F32, &Device::Cpu).unwrap());
        let refused = learner(&phase).resume_phase(&phase, state, Path::new("checkpoint"));
        let Err(Error::UnknownTensor { name: found, .. }) = refused else { panic!("{name}: {refused:?}") };
        assert_eq!(found, name);
    }
    // Batch means have no state, so a checkpoint with centres belongs to another configuration.
    let phase = phase(Centers::BatchMeans);
    let mut state = learner(&phase).state().unwrap();
    state.insert("centers".to_owned(), Tensor::zeros((3, 64), DType::F32, &Device::Cpu).unwrap());
    let refused = learner(&phase).resume_phase(&phase, state, Path::new("checkpoint"));
    assert!(matches!(refused, Err(Error::UnknownTensor { .. })), "{refused:?}");
}

/// Compares with PyTorch's formula: the weighted sum of the single losses over the sum of the weights.
#[test]
fn class_weights_combine_with_every_loss() {
    use crate::{
        losses::{
            ClassBalancedDotRegression, CrossEntropy, DifficultyMargin, DotRegression, Focal,
            LabelAwareSmoothing, Labelled, Ldam, MeanSquaredError, VectorScaling,
        },
        objective::Labels,
    };
    let tensor = |rows: &[[f32; 3]; 4]| Tensor::new(rows, &Device::Cpu).unwrap();
    let features = tensor(&[[1.0, 0.2, 0.0], [0.1, 1.0, 0.3], [0.0, 0.4, 1.0], [0.5, 0.5, 0.1]]);
    let logits =
        Var::from_tensor(&tensor(&[[2.0, 0.1, -1.0], [0.3, 1.0, 0.2], [0.0, -0.5, 0.7], [1.0, 1.1, 0.9]]))
            .unwrap();
    let directions = Tensor::eye(3, DType::F32, &Device::Cpu).unwrap();
    let weights = Tensor::new(&[0.2f32, 0.8, 2.0], &Device::Cpu).unwrap();
    let of = |loss: &SupervisedLoss, labels: &[u32], rows: &[u32], class_weights: Option<&Tensor>| {
        let rows = Tensor::new(rows, &Device::Cpu).unwrap();
        let pick = |tensor: &Tensor| tensor.index_select(&rows, 0).unwrap();
        let batch = Labelled {
            features: &pick(&features),
            logits: &pick(&logits),
            labels: &Labels::new(labels, CLASSES, &Device::Cpu).unwrap(),
            class_counts: &[30, 10, 2],
            class_weights,
            directions: &directions,
            scale: 1.0,
        };
        loss.as_loss().of_batch(&batch).unwrap().to_scalar::<f32>().unwrap()
    };
    let losses = [
        SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
        SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: false }),
        SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: true }),
        SupervisedLoss::Focal(Focal { gamma: 1.0 }),
        SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
        SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Training }),
        SupervisedLoss::VectorScaling(VectorScaling { gamma: 0.2, tau: 1.0 }),
        SupervisedLoss::DifficultyMargin(DifficultyMargin {
            max_margin: 0.2,
            difficult: nc_losses::DifficultSamples::Wrong,
            tau: 1.0,
        }),
        SupervisedLoss::LabelAwareSmoothing(LabelAwareSmoothing { head: 0.3, tail: 0.0 }),
        SupervisedLoss::DotRegression(DotRegression {}),
        SupervisedLoss::ClassBalancedDotRegression(ClassBalancedDotRegression {}),
    ];
    for loss in &losses {
        // One image per class, so that averages over classes and images agree.
        let single = |row: u32, label: u32| of(loss, &[label], &[row], None);
        let expected = (0.2 * single(0, 0) + 0.8 * single(1, 1) + 2.0 * single(2, 2)) / 3.0;
        let found = of(loss, &[0, 1, 2], &[0, 1, 2], Some(&weights));
        assert!((found - expected).abs() < 1e-5, "{loss:?}: expected {expected}, found {found}");
    }
}
