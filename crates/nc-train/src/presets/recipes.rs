//! Methods and parts of the presets, relative to a common recipe. Add new presets here.

use nc_data::{Sampler, Transform};
use nc_models::HeadConfig;

use super::{
    data_sets::DataSet,
    part::{Part, Sets, first_centers},
    recipe::Method,
    second_phases,
};
use crate::{
    config::{BackboneKind, Branches, Centers, Diversity, Reweighting, WithinForm},
    losses::{
        ClassBalancedDotRegression, Counts, CrossEntropy, DotRegression, Focal, InverseSoftmax, Ldam,
        LogitAdjustment, MeanSquaredError, SupervisedLoss,
    },
    post_hoc::{NearestClassMean, PostHoc, PostHocAdjustment, TauNormalization},
};

/// Cross entropy in LDAM's recipe (Cao et al. 2019).
const RECIPE_L: Method = Method {
    name: "ce",
    description: "cross entropy",
    learning_rate: |_| 0.1,
    weight_decay: 2e-4,
    nesterov: false,
    milestones: [160, 180],
    gamma: 0.01,
    warmup_start: 0.0,
    mixup: false,
    sampler: Sampler::Uniform,
    second_sampler: None,
    loss: SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
    other_losses: &[],
    reweighting: Reweighting::None,
    diversity: None,
    branches: |_| None,
    head: HeadConfig::Linear,
    normalize_features: false,
    parts: &[],
};

/// Cross entropy in the recipe of the mix-up methods (MiSLAS, Zhong et al. 2021, and the paper).
const RECIPE_M: Method = Method {
    name: "ce-mixup",
    description: "cross entropy with mix-up",
    weight_decay: 5e-4,
    gamma: 0.1,
    mixup: true,
    ..RECIPE_L
};

/// Published beta of effective numbers (Cui et al. 2019).
const BETA: f64 = 0.9999;

/// Deferred re-weighting (DRW, Cao et al. 2019): class weights from epoch 160 of 200.
const DRW: Reweighting = Reweighting::EffectiveNumber { beta: BETA, from_epoch: 160 };

const CE_DRW_MIXUP: Method = Method {
    name: "ce-drw-mixup",
    description: "cross entropy with deferred re-weighting and mix-up: NC-DRW without NC",
    reweighting: DRW,
    ..RECIPE_M
};

const LOGIT_ADJUSTMENT: Method = Method {
    name: "logit-adjustment",
    description: "logit-adjusted cross entropy",
    loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Training }),
    mixup: false,
    ..RECIPE_M
};

const LDAM_DRW: Method = Method {
    name: "ldam-drw",
    description: "LDAM on a cosine classifier with deferred re-weighting",
    loss: SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
    head: HeadConfig::Cosine { scale: 30.0 },
    reweighting: DRW,
    ..RECIPE_L
};

// The authors' code for CIFAR100-LT (frank-xwang/RIDE-LongTailRecognition), without the second stage that assigns images to
// experts and without distillation.
const RIDE_3: Method = Method {
    name: "ride-3",
    description: "RIDE: three experts with LDAM, deferred re-weighting and diversity",
    weight_decay: 5e-4,
    nesterov: true,
    diversity: Some(Diversity { weight: 0.45, spread: 0.05, from_epoch: 160 }),
    branches: |data| Some(experts(3, data)),
    parts: &[ROTATION],
    ..LDAM_DRW
};

fn experts(count: usize, data: &DataSet) -> Branches {
    Branches::Experts { count, reduce_dimension: data.reduce_dimension }
}

const ETF_DR: Method = Method {
    name: "etf-dr",
    description: "dot regression on a fixed ETF, with mix-up",
    gamma: 0.1,
    mixup: true,
    loss: SupervisedLoss::DotRegression(DotRegression {}),
    head: HeadConfig::Etf,
    normalize_features: true,
    ..RECIPE_L
};

const NC_DRW: Method = Method {
    name: "nc-drw",
    description: "L_W + L_B with deferred re-weighting and mix-up (the paper's NC-DRW)",
    parts: &[NC],
    ..CE_DRW_MIXUP
};

/// All methods.
pub(super) const METHODS: &[Method] = &[
    RECIPE_L,
    RECIPE_M,
    Method {
        name: "ce-rs",
        description: "cross entropy, images sampled by the inverse effective number of their class",
        sampler: Sampler::EffectiveNumber { beta: BETA },
        ..RECIPE_L
    },
    Method {
        name: "ce-rs-inverse",
        description: "cross entropy, each class sampled with equal probability",
        sampler: Sampler::ClassBalanced,
        ..RECIPE_L
    },
    // Kang et al. 2020, section 4.
    Method {
        name: "ce-progressive",
        description: "cross entropy, sampling from image-balanced to class-balanced",
        sampler: Sampler::Progressive,
        ..RECIPE_L
    },
    Method {
        name: "ce-rw",
        description: "cross entropy weighted by the inverse effective number",
        reweighting: Reweighting::EffectiveNumber { beta: BETA, from_epoch: 0 },
        ..RECIPE_L
    },
    Method {
        name: "ce-rw-inverse",
        description: "cross entropy weighted by 1/n_k",
        reweighting: Reweighting::InverseFrequency { from_epoch: 0 },
        ..RECIPE_L
    },
    Method {
        name: "ce-drw",
        description: "cross entropy with deferred re-weighting",
        reweighting: DRW,
        ..RECIPE_L
    },
    CE_DRW_MIXUP,
    Method {
        name: "focal",
        description: "focal loss, gamma 1",
        loss: SupervisedLoss::Focal(Focal { gamma: 1.0 }),
        ..RECIPE_L
    },
    // The softmax form of Cui et al. 2019.
    Method {
        name: "cb-focal",
        description: "class-balanced focal loss: gamma 1, weighted by the inverse effective number",
        loss: SupervisedLoss::Focal(Focal { gamma: 1.0 }),
        reweighting: Reweighting::EffectiveNumber { beta: BETA, from_epoch: 0 },
        ..RECIPE_L
    },
    LDAM_DRW,
    LOGIT_ADJUSTMENT,
    Method {
        name: "logit-adjustment-post-hoc",
        description: "cross entropy with post-hoc logit adjustment",
        mixup: false,
        parts: &[POST_HOC_ADJUSTMENT],
        ..RECIPE_M
    },
    Method {
        name: "balanced-softmax",
        description: "logit adjustment with mix-up: balanced softmax, or ARB-Loss with training counts",
        mixup: true,
        ..LOGIT_ADJUSTMENT
    },
    Method {
        name: "arb",
        description: "attraction-repulsion-balanced loss with batch counts and mix-up",
        loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Batch }),
        ..RECIPE_M
    },
    ETF_DR,
    Method {
        name: "etf-dr-class-balanced",
        description: "dot regression on a fixed ETF, averaged per class of the batch, with mix-up",
        loss: SupervisedLoss::ClassBalancedDotRegression(ClassBalancedDotRegression {}),
        ..ETF_DR
    },
    Method {
        name: "mse",
        description: "squared error, mean over images and classes",
        loss: SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: false }),
        ..RECIPE_L
    },
    Method {
        name: "mse-paper",
        description: "squared error, half the sum over classes",
        loss: SupervisedLoss::MeanSquaredError(MeanSquaredError { halved_sum: true }),
        ..RECIPE_L
    },
    // The authors' code (Megvii-Nanjing/BBN); it skips an incomplete last batch, which is trained on here.
    Method {
        name: "bbn",
        description: "BBN: two branches for uniform and reversed sampling, mixed by cumulative learning",
        nesterov: true,
        milestones: [120, 160],
        warmup_start: 1.0 / 3.0,
        second_sampler: Some(Sampler::Reverse),
        branches: |_| Some(Branches::Bilateral),
        ..RECIPE_L
    },
    Method {
        name: "ride-2",
        description: "RIDE with two experts",
        branches: |data| Some(experts(2, data)),
        ..RIDE_3
    },
    RIDE_3,
    Method {
        name: "ride-4",
        description: "RIDE with four experts",
        branches: |data| Some(experts(4, data)),
        ..RIDE_3
    },
    // The authors' code (Vanint/SADE-AgnosticLT), without the aggregation that learns from test images. On CIFAR10-LT its
    // authors use full width and half the learning rate (issue 11 there).
    Method {
        name: "sade",
        description: "SADE: three experts with softmax, balanced softmax and inverse softmax",
        learning_rate: |data| if data.reduce_dimension { 0.1 } else { 0.05 },
        gamma: 0.1,
        loss: RECIPE_L.loss,
        other_losses: &[LOGIT_ADJUSTMENT.loss, SupervisedLoss::InverseSoftmax(InverseSoftmax { tau: 2.0 })],
        reweighting: Reweighting::None,
        diversity: None,
        ..RIDE_3
    },
    Method {
        name: "mislas",
        description: "cross entropy with mix-up, then MiSLAS's second phase",
        parts: &[MISLAS],
        ..RECIPE_M
    },
    NC_DRW,
    Method {
        name: "nc-drw-crt",
        description: "NC-DRW, then classifier retraining (the paper's NC-DRW-cRT)",
        parts: &[NC, CRT],
        ..NC_DRW
    },
];

const NC: Part = Part::new("nc", "with L_W + L_B on learnable centres", Sets::NeuralCollapse(|_| {}));

const CRT: Part =
    Part::new("crt", "then a new classifier on the frozen backbone", Sets::SecondPhase(second_phases::crt));

const MISLAS: Part = Part::new(
    "mislas",
    "then MiSLAS's second phase: logit factors and label-aware smoothing",
    Sets::SecondPhase(second_phases::mislas),
);

const POST_HOC_ADJUSTMENT: Part = Part::new(
    "post-hoc-adjustment",
    "then post-hoc logit adjustment",
    Sets::PostHoc(PostHoc::LogitAdjustment(PostHocAdjustment { tau: 1.0 })),
);

const ROTATION: Part = Part::new(
    "rotation",
    "with random rotation by up to 15 degrees",
    Sets::Transforms(&[Transform::Rotation { degrees: 15.0 }]),
);

/// All parts.
pub(super) const PARTS: &[Part] = &[
    NC,
    Part::new(
        "nc-batch-means",
        "with L_W + L_B on the class means of the batch",
        Sets::NeuralCollapse(|nc| nc.centers = Centers::BatchMeans),
    ),
    Part::new(
        "nc-moving-average",
        "with L_W + L_B on moving averages of the class means",
        Sets::NeuralCollapse(|nc| {
            nc.centers = Centers::MovingAverage { momentum: 0.9, init: first_centers(nc.start_epoch) };
        }),
    ),
    Part::new(
        "within-class",
        "with L_W alone, on learnable centres",
        Sets::NeuralCollapse(|nc| nc.between_weight = 0.0),
    ),
    Part::new(
        "between-class",
        "with L_B alone, on the class means of the batch",
        Sets::NeuralCollapse(|nc| (nc.within_weight, nc.centers) = (0.0, Centers::BatchMeans)),
    ),
    Part::new(
        "center-loss",
        "with centre loss",
        Sets::NeuralCollapse(|nc| (nc.within_form, nc.between_weight) = (WithinForm::BySample, 0.0)),
    ),
    Part::new(
        "center-loss-between-class",
        "with centre loss + L_B on learnable centres",
        Sets::NeuralCollapse(|nc| nc.within_form = WithinForm::BySample),
    ),
    CRT,
    Part::new(
        "lws",
        "then one factor per logit, on frozen backbone and classifier",
        Sets::SecondPhase(second_phases::lws),
    ),
    MISLAS,
    Part::new(
        "tau-norm",
        "then tau-normalisation with tau 1: equal norms of class directions",
        Sets::PostHoc(PostHoc::TauNormalization(TauNormalization { tau: Some(1.0) })),
    ),
    Part::new(
        "ncm",
        "then the nearest-class-mean classifier",
        Sets::PostHoc(PostHoc::NearestClassMean(NearestClassMean {})),
    ),
    POST_HOC_ADJUSTMENT,
    Part::new(
        "auto-augment",
        "with AutoAugment's CIFAR-10 policy and Cutout, in the first and later phases",
        Sets::Transforms(&[Transform::AutoAugmentCifar10, Transform::Cutout { length: 16 }]),
    ),
    Part::new(
        "rand-augment",
        "with RandAugment: two of 15 operations at magnitude 10",
        Sets::Transforms(&[Transform::RandAugment {
            layers: 2,
            magnitude: 10.0,
            deviation: 0.5,
            fill: [124, 116, 104],
        }]),
    ),
    ROTATION,
    // The weight decay in the paper's text is ten times that of its code.
    Part::new(
        "paper-text",
        "with the weight decay 5e-3 of the paper's text in the first phase",
        Sets::Settings(|phase| *phase.optimizer.weight_decay_mut() = 5e-3),
    ),
    Part::new(
        "resnet18",
        "with ResNet-18 (64 to 512 channels) in place of the data set's backbone",
        Sets::Network(BackboneKind::ResNet18),
    ),
];
