//! Methods of the presets, relative to a common recipe. Add new methods here.

use nc_data::{Sampler, Transform};
use nc_models::HeadConfig;

use super::{
    base::{BETA, CE_DRW_MIXUP, DRW, LDAM_DRW, LOGIT_ADJUSTMENT, RECIPE_L, RECIPE_M},
    contrastive::{
        BCL, CLASS_MEAN_CONTRAST, FCL, KCL, KCL_200, KCL_QUEUE, LA_FIRST_OF_THREE_VIEWS, LA_ONE_VIEW,
        LA_THREE_VIEWS, PROCO, TSC, TSC_200, TSC_QUEUE,
    },
    data_sets::DataSet,
    parts::{CRT, MISLAS, NC, POST_HOC_ADJUSTMENT},
    recipe::Method,
    single_network::{BS_AUTO_AUGMENT, DBM_BS, DBM_BS_400, VS, VS_SAM, VS_SAM_ADRW},
};
use crate::{
    config::{Branches, Diversity, Reweighting},
    losses::{
        ClassBalancedDotRegression, Counts, DotRegression, Focal, InverseSoftmax, LogitAdjustment,
        MeanSquaredError, SupervisedLoss,
    },
};

// The authors' code for CIFAR100-LT (frank-xwang/RIDE-LongTailRecognition), without the second stage that assigns images to
// experts and without distillation.
const RIDE_3: Method = Method {
    name: "ride-3",
    description: "RIDE: three experts with LDAM, deferred re-weighting and diversity",
    weight_decay: 5e-4,
    nesterov: true,
    diversity: |data| Some(diversity(data)),
    transforms: &[Transform::Rotation { degrees: 15.0 }],
    branches: |data| Some(experts(3, data)),
    ..LDAM_DRW
};

/// The constants of the authors' configurations.
fn diversity(data: &DataSet) -> Diversity {
    let (weight, spread) = match data.name {
        "inaturalist18" => (0.2, 0.015),
        _ if data.photographs.is_some() => (0.2, 0.02),
        _ => (0.45, 0.05),
    };
    Diversity { weight, spread, from_epoch: 160 }
}

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
        milestones: Some([120, 160]),
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
        diversity: |_| None,
        ..RIDE_3
    },
    PROCO,
    BCL,
    KCL,
    TSC,
    KCL_200,
    TSC_200,
    FCL,
    KCL_QUEUE,
    TSC_QUEUE,
    CLASS_MEAN_CONTRAST,
    LA_ONE_VIEW,
    LA_FIRST_OF_THREE_VIEWS,
    LA_THREE_VIEWS,
    BS_AUTO_AUGMENT,
    DBM_BS,
    DBM_BS_400,
    VS,
    VS_SAM,
    VS_SAM_ADRW,
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
