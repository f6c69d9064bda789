//! The experiments that come with the program: a data set and a method each, named `data/method`.

use crate::{
    BackboneKind, BetweenForm, CenterInit, Centers, Counts, DataConfig, DataSource, Decay, Error,
    EvaluationConfig, Experiment, HeadKind, ModelConfig, NeuralCollapse, Objective, Phase, Profile, Result,
    Reweighting, SamplerKind, Schedule, SgdConfig, SupervisedLoss, Trains, suggest::nearest,
};

/// The preset used where none is named.
pub const DEFAULT: &str = "fashion-mnist-lt/nc-drw-crt";

/// The method of a preset that names a data set only.
const METHOD: &str = "nc-drw-crt";

/// The name and one line about each preset.
pub fn list() -> impl Iterator<Item = (String, String)> {
    DATA.iter().flat_map(|data| {
        METHODS.iter().map(|method| {
            (
                format!("{}/{}", data.name, method.name),
                format!("{}; {}", method.description, data.description),
            )
        })
    })
}

/// The experiment named `name`: `data/method`, or `data` for the paper's method on it.
///
/// # Errors
///
/// [`Error::UnknownPreset`] with the nearest name.
pub fn find(name: &str) -> Result<Experiment> {
    let (data, method) = name.split_once('/').unwrap_or((name, METHOD));
    let found = DATA
        .iter()
        .find(|d| d.name == data)
        .and_then(|data| Some((data, METHODS.iter().find(|m| m.name == method)?)));
    let Some((data, method)) = found else {
        let names: Vec<String> = list().map(|(name, _)| name).collect();
        let nearest = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(Error::UnknownPreset { name: name.to_owned(), nearest });
    };
    Ok(data.experiment(method))
}

/// A data set with the settings that go with it.
struct Data {
    name: &'static str,
    description: &'static str,
    source: DataSource,
    /// Share of the training images to test on, for sources that may have no test images.
    test_fraction: Option<f64>,
    /// Of the exponential profile; none to train on all images.
    imbalance_ratio: Option<f64>,
    /// Mean and standard deviation of each channel; none for those of the training subset.
    normalize: Option<([f32; 3], [f32; 3])>,
    backbone: BackboneKind,
    crop_padding: usize,
    batch_size: usize,
    /// Epochs of the first phase. The recipes are written for 200 and scaled to this number.
    epochs: usize,
    evaluate_every: usize,
    /// lambda1, lambda2 and start epoch (of 200) of Table 1 of the paper.
    neural_collapse: (f64, f64, usize),
}

const CIFAR10: Data = Data {
    name: "cifar10",
    description: "CIFAR-10, balanced",
    source: DataSource::Cifar10,
    test_fraction: None,
    imbalance_ratio: None,
    normalize: Some(([0.4914, 0.4822, 0.4465], [0.2023, 0.1994, 0.2010])),
    backbone: BackboneKind::ResNet32,
    crop_padding: 4,
    batch_size: 128,
    epochs: 200,
    evaluate_every: 5,
    neural_collapse: (0.01, 0.1, 0),
};

const CIFAR100: Data = Data {
    name: "cifar100",
    description: "CIFAR-100, balanced",
    source: DataSource::Cifar100,
    neural_collapse: (0.01, 0.5, 100),
    ..CIFAR10
};

const DATA: &[Data] = &[
    Data {
        name: "fashion-mnist-lt",
        description: "Fashion-MNIST inside the program, 1,000 to 10 images a class",
        source: DataSource::FashionMnistLt,
        normalize: None,
        backbone: BackboneKind::ResNet20,
        crop_padding: 2,
        batch_size: 64,
        epochs: 40,
        ..CIFAR10
    },
    Data {
        name: "fashion-mnist-lt-r100",
        description: "full Fashion-MNIST, 6,000 to 60 images a class",
        source: DataSource::Idx,
        imbalance_ratio: Some(100.0),
        normalize: None,
        crop_padding: 2,
        ..CIFAR10
    },
    Data {
        name: "cifar10-lt-r100",
        description: "CIFAR-10, 5,000 to 50 images a class",
        imbalance_ratio: Some(100.0),
        ..CIFAR10
    },
    Data {
        name: "cifar10-lt-r10",
        description: "CIFAR-10, 5,000 to 500 images a class",
        imbalance_ratio: Some(10.0),
        ..CIFAR10
    },
    Data {
        name: "cifar100-lt-r100",
        description: "CIFAR-100, 500 to 5 images a class",
        imbalance_ratio: Some(100.0),
        ..CIFAR100
    },
    Data {
        name: "cifar100-lt-r10",
        description: "CIFAR-100, 500 to 50 images a class",
        imbalance_ratio: Some(10.0),
        ..CIFAR100
    },
    CIFAR10,
    CIFAR100,
    Data {
        name: "image-folder",
        description: "your own images, a directory for each class",
        source: DataSource::ImageFolder,
        test_fraction: Some(0.2),
        normalize: None,
        ..CIFAR10
    },
];

impl Data {
    fn experiment(&self, method: &Method) -> Experiment {
        let mut phases = vec![method.representation(self)];
        if method.retrains_classifier {
            phases.push(classifier_retraining(self.batch_size));
        }
        let profile =
            self.imbalance_ratio.map_or(Profile::Full, |ratio| Profile::Exponential { ratio, largest: None });
        let (mean, std) = self.normalize.map(|(mean, std)| (mean.to_vec(), std.to_vec())).unwrap_or_default();
        let mut experiment = Experiment {
            name: format!("{}/{}", self.name, method.name),
            seed: 0,
            data: DataConfig {
                source: self.source,
                image_size: None,
                test_fraction: self.test_fraction,
                profile,
                subset_seed: 0,
                crop_padding: self.crop_padding,
                flip: true,
                mean,
                std,
                validation: None,
            },
            model: ModelConfig { backbone: self.backbone, head: method.head },
            evaluation: EvaluationConfig { every_epochs: self.evaluate_every },
            phases,
        };
        experiment.scale_epochs(self.epochs);
        experiment
    }
}

/// A method, as what it changes in the common recipe: batch 128, 200 epochs, SGD with momentum 0.9, learning rate
/// 0.1 after 5 epochs of warm-up.
struct Method {
    name: &'static str,
    description: &'static str,
    recipe: Recipe,
    mixup: bool,
    sampler: SamplerKind,
    loss: SupervisedLoss,
    head: HeadKind,
    reweighting: Reweighting,
    neural_collapse: bool,
    retrains_classifier: bool,
}

/// The two lineages of published recipes.
#[derive(Clone, Copy)]
enum Recipe {
    /// LDAM's (Cao et al. 2019): weight decay 2e-4, learning rate x0.01 from epochs 160 and 180.
    L,
    /// That of the mix-up methods: weight decay 5e-4, learning rate x0.1 from epochs 160 and 180.
    M,
}

const BETA: f64 = 0.9999;
const DRW: Reweighting = Reweighting::EffectiveNumber { beta: BETA, from_epoch: 160 };

/// Cross entropy on everything.
const CE: Method = Method {
    name: "ce",
    description: "cross entropy",
    recipe: Recipe::L,
    mixup: false,
    sampler: SamplerKind::Uniform,
    loss: SupervisedLoss::CrossEntropy { label_smoothing: 0.0 },
    head: HeadKind::Linear,
    reweighting: Reweighting::None,
    neural_collapse: false,
    retrains_classifier: false,
};

const CE_MIXUP: Method = Method {
    name: "ce-mixup",
    description: "cross entropy with mix-up",
    recipe: Recipe::M,
    mixup: true,
    ..CE
};

const NC_DRW: Method = Method {
    name: "nc-drw",
    description: "L_W + L_B with deferred re-weighting and mix-up (the paper's NC-DRW)",
    reweighting: DRW,
    neural_collapse: true,
    ..CE_MIXUP
};

const LDAM_DRW: Method = Method {
    name: "ldam-drw",
    description: "LDAM on a cosine classifier with deferred re-weighting",
    loss: SupervisedLoss::Ldam { max_margin: 0.5 },
    head: HeadKind::Cosine { scale: 30.0 },
    reweighting: DRW,
    ..CE
};

const LOGIT_ADJUSTMENT: Method = Method {
    name: "logit-adjustment",
    description: "cross entropy of logits adjusted by class size",
    loss: SupervisedLoss::LogitAdjustment { tau: 1.0, counts: Counts::Training },
    mixup: false,
    ..CE_MIXUP
};

const METHODS: &[Method] = &[
    CE,
    Method {
        name: "ce-rs",
        description: "cross entropy, classes sampled by effective number",
        sampler: SamplerKind::EffectiveNumber { beta: BETA },
        ..CE
    },
    Method {
        name: "ce-rw",
        description: "cross entropy weighted by effective number",
        reweighting: Reweighting::EffectiveNumber { beta: BETA, from_epoch: 0 },
        ..CE
    },
    Method {
        name: "ce-drw",
        description: "cross entropy with deferred re-weighting",
        reweighting: DRW,
        ..CE
    },
    CE_MIXUP,
    Method {
        name: "ce-drw-mixup",
        description: "cross entropy with deferred re-weighting and mix-up: NC-DRW without NC",
        reweighting: DRW,
        ..CE_MIXUP
    },
    Method {
        name: "focal",
        description: "focal loss, gamma 1",
        loss: SupervisedLoss::Focal { gamma: 1.0 },
        ..CE
    },
    LDAM_DRW,
    LOGIT_ADJUSTMENT,
    Method {
        name: "balanced-softmax",
        description: "logit adjustment with mix-up: balanced softmax, and ARB with the training set's counts",
        mixup: true,
        ..LOGIT_ADJUSTMENT
    },
    Method {
        name: "arb",
        description: "attraction-repulsion-balanced loss with the batch's counts, with mix-up",
        loss: SupervisedLoss::LogitAdjustment { tau: 1.0, counts: Counts::Batch },
        ..CE_MIXUP
    },
    Method { name: "nc-ldam-drw", description: "LDAM-DRW with L_W + L_B", neural_collapse: true, ..LDAM_DRW },
    Method {
        name: "nc-logit-adjustment",
        description: "logit adjustment with L_W + L_B",
        neural_collapse: true,
        ..LOGIT_ADJUSTMENT
    },
    NC_DRW,
    Method {
        name: "nc-drw-crt",
        description: "NC-DRW, then the classifier retrained (the paper's NC-DRW-cRT)",
        retrains_classifier: true,
        ..NC_DRW
    },
];

impl Method {
    fn representation(&self, data: &Data) -> Phase {
        let (weight_decay, gamma) = match self.recipe {
            Recipe::L => (2e-4, 0.01),
            Recipe::M => (5e-4, 0.1),
        };
        let (within_weight, between_weight, start_epoch) = data.neural_collapse;
        let init = if start_epoch > 0 { CenterInit::ClassMeans } else { CenterInit::Normal };
        let neural_collapse = NeuralCollapse {
            within_weight,
            between_weight,
            between_form: BetweenForm::MeanMinAngle,
            start_epoch,
            centers: Centers::Learnable { learning_rate: 0.5, init },
        };
        Phase {
            name: "representation".into(),
            epochs: 200,
            batch_size: data.batch_size,
            trains: Trains::Everything,
            sampler: self.sampler,
            mixup_alpha: if self.mixup { 1.0 } else { 0.0 },
            objective: Objective {
                loss: self.loss,
                reweighting: self.reweighting,
                neural_collapse: self.neural_collapse.then_some(neural_collapse),
            },
            optimizer: SgdConfig {
                learning_rate: 0.1,
                momentum: 0.9,
                nesterov: false,
                weight_decay,
                clip_norm: None,
            },
            schedule: Schedule {
                decay: Decay::MultiStep { milestones: vec![160, 180], gamma },
                warmup_epochs: 5,
            },
        }
    }
}

/// cRT (Kang et al. 2020).
fn classifier_retraining(batch_size: usize) -> Phase {
    Phase {
        name: "classifier".into(),
        epochs: 10,
        batch_size,
        trains: Trains::NewClassifier,
        sampler: SamplerKind::ClassBalanced,
        mixup_alpha: 0.0,
        objective: Objective {
            loss: SupervisedLoss::CrossEntropy { label_smoothing: 0.0 },
            reweighting: Reweighting::None,
            neural_collapse: None,
        },
        optimizer: SgdConfig {
            learning_rate: 0.1,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            clip_norm: None,
        },
        schedule: Schedule { decay: Decay::Cosine, warmup_epochs: 0 },
    }
}
