//! Published constants of the recipes.

use nc_data::{Interpolation, Profile, Transform};
use nc_train::{
    BackboneKind, Branches, CenterInit, Centers, Counts, Decay, DifficultSamples, DifficultyMargin,
    Diversity, Experiment, HeadConfig, LabelAwareSmoothing, LogitAdjustment, MeanSquaredError,
    OptimizerConfig, Phase, PostHoc, PostHocAdjustment, Reweighting, Sampler, SgdConfig, SupervisedLoss,
    Trains, VectorScaling, presets,
};

fn preset(name: &str) -> Experiment {
    presets::find(name).unwrap()
}

#[test]
fn mislas_has_the_published_constants() {
    for (data, classifier_rate, head, tail, shift_batch_norm) in [
        ("cifar10-lt-r100", 0.5, 0.3, 0.0, false),
        ("cifar10-lt-r10", 0.2, 0.1, 0.0, false),
        ("cifar100-lt-r100", 0.2, 0.4, 0.1, true),
        ("cifar100-lt-r10", 0.1, 0.2, 0.0, true),
    ] {
        let experiment = preset(&format!("{data}/mislas"));
        let [first, second] = experiment.phases.as_slice() else { panic!("two phases") };
        assert_eq!(
            (first.epochs, first.mixup_alpha, first.optimizer.weight_decay()),
            (200, 1.0, 5e-4),
            "{data}"
        );
        assert_eq!((second.epochs, second.mixup_alpha), (10, 0.0), "{data}");
        assert_eq!(second.trains, Trains::ScaledClassifier { classifier_rate, shift_batch_norm }, "{data}");
        let smoothing = LabelAwareSmoothing { head, tail };
        assert_eq!(second.objective.loss, SupervisedLoss::LabelAwareSmoothing(smoothing), "{data}");
    }
}

/// Recipe of ImageNet-LT in the paper; backbone, learning rate, weight decay and length of MiSLAS for the other sets.
#[test]
fn photographs_replace_the_recipe_for_cifar() {
    for (data, backbone, rate, decay, epochs, head, tail) in [
        ("imagenet-lt", BackboneKind::ResNeXt50, 0.05, 5e-4, 200, 0.3, 0.0),
        ("inaturalist18", BackboneKind::ResNet50, 0.1, 1e-4, 200, 0.3, 0.0),
        ("places-lt", BackboneKind::ResNet152, 0.1, 5e-4, 90, 0.4, 0.1),
    ] {
        let experiment = preset(&format!("{data}/mislas"));
        assert_eq!(experiment.model.backbone, backbone);
        assert_eq!((experiment.data.image_size, experiment.data.crop_padding), (Some((224, 224)), 0));
        let streaming = experiment.data.streaming.unwrap();
        let (interpolation, smallest_area) = (Interpolation::Bilinear, 0.08);
        let part = Transform::RandomResizedCrop { size: Some(224), smallest_area, interpolation };
        assert_eq!(streaming.training, [part]);
        let resize = Transform::Resize { size: 256, interpolation };
        assert_eq!(streaming.evaluation, [resize, Transform::CenterCrop { size: 224 }]);
        let [first, second] = experiment.phases.as_slice() else { panic!("two phases") };
        assert_eq!((first.epochs, first.batch_size, first.mixup_alpha), (epochs, 256, 0.2), "{data}");
        assert_eq!((first.optimizer.learning_rate(), first.optimizer.weight_decay()), (rate, decay));
        assert_eq!((first.schedule.decay.clone(), first.schedule.warmup_epochs), (Decay::Cosine, 0));
        assert_eq!((second.epochs, second.batch_size), (10, 256), "{data}");
        assert_eq!(second.optimizer.learning_rate(), 0.1, "{data}");
        assert_eq!(second.optimizer.weight_decay(), decay, "{data}");
        let trains = Trains::ScaledClassifier { classifier_rate: 0.05, shift_batch_norm: true };
        assert_eq!(second.trains, trains, "{data}");
        let smoothing = LabelAwareSmoothing { head, tail };
        assert_eq!(second.objective.loss, SupervisedLoss::LabelAwareSmoothing(smoothing), "{data}");
    }
    // Strong augmentation only with mix-up or views; colour jitter otherwise, but not on iNaturalist.
    let names = |name: &str| -> Vec<String> {
        let transforms = preset(name).data.transforms;
        let name = |transform: &Transform| format!("{transform:?}").split(' ').next().unwrap().to_owned();
        transforms.iter().map(name).collect()
    };
    assert_eq!(names("imagenet-lt/nc-drw"), ["ColorJitter", "Grey", "RandAugment"]);
    assert_eq!(names("imagenet-lt/ride-3"), ["ColorJitter"]);
    assert_eq!(names("inaturalist18/ce"), [""; 0]);
    assert_eq!(preset("imagenet-lt/nc-drw-crt").phases[0].objective.reweighting, {
        Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 160 }
    });
    let ride = preset("imagenet-lt/ride-3+nc");
    assert_eq!(ride.model.branches, Some(Branches::Experts { count: 3, reduce_dimension: true }));
    let diversity = ride.phases[0].objective.diversity;
    assert_eq!(diversity, Some(Diversity { weight: 0.2, spread: 0.02, from_epoch: 160 }));
    // The second crop of contrastive views would be one of the first.
    let queue = preset("imagenet-lt/kcl-queue");
    let [first, second] = queue.phases.as_slice() else { panic!("two phases") };
    assert_eq!((first.views.clone(), first.batch_size), (vec![vec![], vec![]], 256));
    assert_eq!((first.optimizer.learning_rate(), first.optimizer.weight_decay()), (0.1, 5e-4));
    assert_eq!((second.batch_size, second.optimizer.learning_rate()), (2048, 10.0));
    assert!(!second.limit_learning_rate);
    // The hidden layer is as wide as the features.
    for (data, hidden) in
        [("imagenet-lt/tsc-queue", 2048), ("cifar10-lt-r100/tsc", 64), ("imagenet-lt/fcl", 0)]
    {
        assert_eq!(preset(data).model.projection.map(|projection| projection.hidden), Some(hidden), "{data}");
    }
    assert_eq!(preset("imagenet-lt/ce+crt+resnet50").model.backbone, BackboneKind::ResNet50);
    // The part's network for small images would have a stem without stride.
    assert_eq!(preset("imagenet-lt/ce+resnet18").model.backbone, BackboneKind::ImageNetResNet18);
    // Views have transforms of their own, a second phase those of the data.
    assert_eq!(names("imagenet-lt/proco"), [""; 0]);
    assert_eq!(names("imagenet-lt/kcl-queue"), ["ColorJitter"]);
}

#[test]
fn tiny_imagenet_lt_has_the_recipe_of_cifar100_lt() {
    for method in ["mislas", "vs-sam-adrw", "vs", "ce+sam", "ride-3", "nc-drw-crt"] {
        let [tiny, cifar] =
            ["tiny-imagenet-lt", "cifar100-lt-r100"].map(|data| preset(&format!("{data}/{method}")));
        assert_eq!(tiny.phases, cifar.phases, "{method}");
    }
    let [tiny, cifar] = ["tiny-imagenet-lt/nc-drw-crt", "cifar100-lt-r100/nc-drw-crt"].map(preset);
    assert_eq!(tiny.data.profile, cifar.data.profile);
    assert_eq!(cifar.data.profile, Profile::Exponential { ratio: 100.0, largest: None });
    assert_eq!((tiny.data.crop_padding, tiny.model.backbone), (8, BackboneKind::ImageNetResNet18));
}

#[test]
fn lws_trains_for_five_epochs() {
    let second = &preset("cifar10-lt-r100/ce+lws").phases[1];
    assert_eq!((second.trains, second.epochs, second.mixup_alpha), (Trains::LogitScale, 5, 0.0));
}

#[test]
fn regularisers_have_the_weights_of_table_1() {
    use CenterInit::{ClassMeans, Normal};
    for (data, within_weight, between_weight, start_epoch, init) in [
        ("cifar10-lt-r100", 0.01, 0.1, 0, Normal),
        ("cifar10-lt-r10", 0.01, 0.1, 0, Normal),
        ("cifar10", 0.01, 0.1, 0, Normal),
        ("cifar100-lt-r100", 0.01, 0.5, 100, ClassMeans),
        ("cifar100-lt-r10", 0.01, 0.5, 100, ClassMeans),
        ("cifar100", 0.01, 0.5, 100, ClassMeans),
        ("imagenet-lt", 0.05, 1.0, 100, ClassMeans),
    ] {
        for (part, centers) in [
            ("nc", Centers::Learnable { learning_rate: 0.5, init }),
            ("nc-moving-average", Centers::MovingAverage { momentum: 0.9, init }),
            ("nc-batch-means", Centers::BatchMeans),
        ] {
            let name = format!("{data}/ce-drw-mixup+{part}");
            let nc = preset(&name).phases[0].objective.neural_collapse.clone().unwrap();
            assert_eq!((nc.within_weight, nc.between_weight), (within_weight, between_weight), "{name}");
            assert_eq!((nc.start_epoch, nc.centers), (start_epoch, centers), "{name}");
        }
    }
}

#[test]
fn each_loss_has_its_recipe() {
    let adjusted = |counts| SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts });
    let squared = |halved_sum| SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum });
    // Loss, mix-up, weight decay, and the factor on the learning rate in the last epoch.
    for (method, loss, mixup, weight_decay, last) in [
        ("logit-adjustment", adjusted(Counts::Training), 0.0, 5e-4, 1e-2),
        ("balanced-softmax", adjusted(Counts::Training), 1.0, 5e-4, 1e-2),
        ("arb", adjusted(Counts::Batch), 1.0, 5e-4, 1e-2),
        ("mse", squared(false), 0.0, 2e-4, 1e-4),
        ("mse-paper", squared(true), 0.0, 2e-4, 1e-4),
    ] {
        let experiment = preset(&format!("cifar10-lt-r100/{method}"));
        let [Phase { objective, mixup_alpha, optimizer, schedule, .. }] = experiment.phases.as_slice() else {
            panic!("one phase");
        };
        assert_eq!((objective.loss, objective.reweighting), (loss, Reweighting::None), "{method}");
        assert_eq!((*mixup_alpha, optimizer.weight_decay()), (mixup, weight_decay), "{method}");
        assert!((schedule.factor(199, 200) - last).abs() < 1e-12, "{method}");
    }
    let post_hoc = preset("cifar10-lt-r100/logit-adjustment-post-hoc");
    assert_eq!(post_hoc.post_hoc, Some(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 })));
    assert_eq!(post_hoc.phases[0].mixup_alpha, 0.0);
}

#[test]
fn class_balanced_focal_loss_is_focal_loss_with_effective_numbers_throughout() {
    let [plain, balanced] = ["focal", "cb-focal"].map(|method| preset(&format!("cifar10-lt-r100/{method}")));
    let mut expected = plain.phases;
    expected[0].objective.reweighting = Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 0 };
    assert_eq!(balanced.phases, expected);
}

#[test]
fn experts_have_the_published_constants() {
    for (method, count) in [("ride-2", 2), ("ride-3", 3), ("ride-4", 4), ("sade", 3)] {
        for (data, reduce_dimension) in [("cifar10-lt-r100", false), ("cifar100-lt-r100", true)] {
            let experiment = preset(&format!("{data}/{method}"));
            let branches = Branches::Experts { count, reduce_dimension };
            assert_eq!(experiment.model.branches, Some(branches), "{data}/{method}");
            assert_eq!(experiment.model.head, HeadConfig::Cosine { scale: 30.0 });
            assert_eq!(experiment.data.transforms, [Transform::Rotation { degrees: 15.0 }]);
            let [phase] = experiment.phases.as_slice() else { panic!("one phase") };
            assert_eq!((phase.optimizer.weight_decay(), phase.mixup_alpha), (5e-4, 0.0));
            let rate = if method == "sade" && !reduce_dimension { 0.05 } else { 0.1 };
            assert_eq!(phase.optimizer.learning_rate(), rate);
            assert!(matches!(phase.optimizer, OptimizerConfig::Sgd(SgdConfig { nesterov: true, .. })));
        }
    }
    // Other augmentation replaces the rotation.
    let transforms = preset("cifar100-lt-r100/ride-2+auto-augment").data.transforms;
    assert_eq!(transforms, [Transform::AutoAugmentCifar10, Transform::Cutout { length: 16 }]);
    let factors = |method: &str| {
        let phase = &preset(&format!("cifar100-lt-r100/{method}")).phases[0];
        [0, 4, 159, 160, 180].map(|epoch| (phase.schedule.factor(epoch, phase.epochs) * 1e6).round())
    };
    assert_eq!(factors("ride-3"), [2e5, 1e6, 1e6, 1e4, 1e2]);
    assert_eq!(factors("sade"), [2e5, 1e6, 1e6, 1e5, 1e4]);
    let objective = preset("cifar100-lt-r100/ride-3").phases[0].objective.clone();
    assert_eq!(objective.diversity, Some(Diversity { weight: 0.45, spread: 0.05, from_epoch: 160 }));
    assert_eq!(objective.reweighting, Reweighting::EffectiveNumber { beta: 0.9999, from_epoch: 160 });
    let objective = preset("cifar100-lt-r100/sade").phases[0].objective.clone();
    assert_eq!((objective.diversity, objective.reweighting), (None, Reweighting::None));
}

#[test]
fn bbn_has_the_published_schedule() {
    let experiment = preset("cifar10-lt-r100/bbn");
    let [phase] = experiment.phases.as_slice() else { panic!("one phase") };
    let factors = [0, 1, 2, 3, 4, 119, 120, 159, 160].map(|epoch| phase.schedule.factor(epoch, phase.epochs));
    let published = [7.0 / 15.0, 0.6, 11.0 / 15.0, 13.0 / 15.0, 1.0, 1.0, 0.01, 0.01, 1e-4];
    for (factor, published) in factors.iter().zip(published) {
        assert!((factor - published).abs() < 1e-12, "{factors:?}");
    }
    assert_eq!((phase.sampler, phase.second_sampler), (Sampler::Uniform, Some(Sampler::Reverse)));
    assert_eq!((phase.batch_size, phase.epochs), (128, 200));
    let sgd =
        SgdConfig { learning_rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 2e-4, clip_norm: None };
    assert_eq!(phase.optimizer, OptimizerConfig::Sgd(sgd));
}

#[test]
fn vs_loss_with_adrw_has_the_published_constants() {
    // Gamma, tau and rho of VS loss; rho of the first phase, then exponent, tau and rho of the second; weight decay.
    for (data, vs_loss, two_phases, weight_decay) in [
        ("cifar10-lt-r100", [0.05, 1.0, 0.1], [0.1, 0.15, 1.0, 0.2], 2e-4),
        ("cifar10-lt-r10", [0.0, 1.0, 0.1], [0.1, 0.1, 1.0, 0.1], 1e-4),
        ("cifar100-lt-r100", [0.05, 1.0, 0.3], [0.2, 0.25, 0.75, 0.4], 2e-4),
        ("cifar100-lt-r10", [0.05, 0.5, 0.1], [0.1, 0.1, 0.75, 0.5], 1e-4),
    ] {
        let ([gamma, tau, rho], [early_rho, exponent, late_tau, late_rho]) = (vs_loss, two_phases);
        let both = preset(&format!("{data}/best"));
        assert_eq!(both, preset(&format!("{data}/vs-sam-adrw")), "{data}");
        assert_eq!(both.data.transforms, [Transform::AutoAugmentCifar10, Transform::Cutout { length: 16 }]);
        let [early, late] = both.phases.as_slice() else { panic!("two phases") };
        assert_eq!(
            early.objective.loss,
            SupervisedLoss::VectorScaling(VectorScaling { gamma, tau }),
            "{data}"
        );
        assert_eq!(
            (early.optimizer.weight_decay(), early.sam_rho, early.epochs),
            (weight_decay, early_rho, 320)
        );
        let adjusted = LogitAdjustment { tau: late_tau, counts: Counts::Training };
        assert_eq!(late.objective.loss, SupervisedLoss::LogitAdjustment(adjusted), "{data}");
        assert_eq!(late.objective.reweighting, Reweighting::InversePower { exponent, from_epoch: 0 });
        assert_eq!((late.optimizer.weight_decay(), late.sam_rho, late.epochs), (weight_decay, late_rho, 80));
        assert_eq!((late.trains, late.batch_size), (Trains::Everything, 128));
        let mut short = both.clone();
        short.scale_epochs(1);
        let decay = &short.phases[1].schedule.decay;
        assert!(matches!(decay, Decay::MultiStep { milestones, .. } if *milestones == [1]), "{decay:?}");
        // The single phase of 400 epochs has the learning rates of both.
        let [single] = preset(&format!("{data}/vs-sam")).phases.try_into().unwrap();
        assert_eq!((&single.objective.loss, single.sam_rho), (&early.objective.loss, rho), "{data}");
        let rate = |phase: &Phase, epoch| {
            (1e12 * phase.optimizer.learning_rate() * phase.schedule.factor(epoch, phase.epochs)).round()
        };
        for epoch in [0, 8, 10, 319, 320, 359, 360, 399] {
            let of_two = if epoch < 320 { rate(early, epoch) } else { rate(late, epoch - 320) };
            assert_eq!(rate(&single, epoch), of_two, "{data}, epoch {epoch}");
        }
    }
}

#[test]
fn difficulty_margins_have_the_published_constants() {
    let [control, margins] =
        ["bs-auto-augment", "dbm-bs"].map(|method| preset(&format!("cifar100-lt-r100/{method}")));
    let loss = DifficultyMargin { max_margin: 0.1, difficult: DifficultSamples::Wrong, tau: 1.0 };
    assert_eq!(margins.phases[0].objective.loss, SupervisedLoss::DifficultyMargin(loss));
    assert_eq!(margins.model.head, HeadConfig::Cosine { scale: 32.0 });
    for phase in [&control.phases[0], &margins.phases[0]] {
        assert_eq!((phase.epochs, phase.batch_size, phase.optimizer.weight_decay()), (200, 64, 2e-4));
        let factors = [0, 4, 100, 199].map(|epoch| (phase.schedule.factor(epoch, 200) * 1e3).round());
        assert_eq!(factors, [200.0, 999.0, 500.0, 0.0]);
    }
    let longer = &preset("cifar100-lt-r100/dbm-bs-400").phases[0];
    assert_eq!((longer.epochs, longer.weight_average), (400, Some(0.999)));
}
