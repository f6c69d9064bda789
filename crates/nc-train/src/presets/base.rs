//! Recipes that several methods share.

use nc_data::Sampler;
use nc_models::HeadConfig;

use super::{data_sets::RECIPE_EPOCHS, recipe::Method};
use crate::{
    config::{LossViews, Reweighting},
    losses::{Counts, CrossEntropy, Ldam, LogitAdjustment, SupervisedLoss},
};

/// Cross entropy in LDAM's recipe (Cao et al. 2019).
pub(super) const RECIPE_L: Method = Method {
    name: "ce",
    description: "cross entropy",
    epochs: RECIPE_EPOCHS,
    batch_factor: 1,
    learning_rate: |_| 0.1,
    weight_decay: 2e-4,
    nesterov: false,
    milestones: Some([160, 180]),
    gamma: 0.01,
    warmup_epochs: 5,
    warmup_start: 0.0,
    views: |_| vec![],
    transforms: &[],
    mixup: false,
    sampler: Sampler::Uniform,
    second_sampler: None,
    loss: SupervisedLoss::CrossEntropy(CrossEntropy { label_smoothing: 0.0 }),
    loss_weight: 1.0,
    loss_views: LossViews::First,
    other_losses: &[],
    reweighting: Reweighting::None,
    diversity: |_| None,
    contrast: None,
    projection: |_| None,
    branches: |_| None,
    head: HeadConfig::Linear,
    normalize_features: false,
    parts: &[],
};

/// Cross entropy in the recipe of the mix-up methods (MiSLAS, Zhong et al. 2021, and the paper).
pub(super) const RECIPE_M: Method = Method {
    name: "ce-mixup",
    description: "cross entropy with mix-up",
    weight_decay: 5e-4,
    gamma: 0.1,
    mixup: true,
    ..RECIPE_L
};

/// Published beta of effective numbers (Cui et al. 2019).
pub(super) const BETA: f64 = 0.9999;

/// Deferred re-weighting (DRW, Cao et al. 2019): class weights from epoch 160 of 200.
pub(super) const DRW: Reweighting = Reweighting::EffectiveNumber { beta: BETA, from_epoch: 160 };

pub(super) const CE_DRW_MIXUP: Method = Method {
    name: "ce-drw-mixup",
    description: "cross entropy with deferred re-weighting and mix-up: NC-DRW without NC",
    reweighting: DRW,
    ..RECIPE_M
};

pub(super) const LOGIT_ADJUSTMENT: Method = Method {
    name: "logit-adjustment",
    description: "logit-adjusted cross entropy",
    loss: SupervisedLoss::LogitAdjustment(LogitAdjustment { tau: 1.0, counts: Counts::Training }),
    mixup: false,
    ..RECIPE_M
};

pub(super) const LDAM_DRW: Method = Method {
    name: "ldam-drw",
    description: "LDAM on a cosine classifier with deferred re-weighting",
    loss: SupervisedLoss::Ldam(Ldam { max_margin: 0.5 }),
    head: HeadConfig::Cosine { scale: 30.0 },
    reweighting: DRW,
    ..RECIPE_L
};
