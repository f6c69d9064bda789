//! Deferred re-weighting (DRW, Cao et al. 2019): the class weights of re-weighting, from epoch 160 of 200.

use super::{
    Method,
    preset::{RECIPE_L, RECIPE_M},
    reweighting::BETA,
};
use crate::Reweighting;

pub(super) const DRW: Reweighting = Reweighting::EffectiveNumber { beta: BETA, from_epoch: 160 };

/// NC-DRW without NC.
pub(super) const CE_DRW_MIXUP: Method = Method {
    name: "ce-drw-mixup",
    description: "cross entropy with deferred re-weighting and mix-up: NC-DRW without NC",
    reweighting: DRW,
    ..RECIPE_M
};

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "ce-drw",
        description: "cross entropy with deferred re-weighting",
        reweighting: DRW,
        ..RECIPE_L
    },
    CE_DRW_MIXUP,
];
