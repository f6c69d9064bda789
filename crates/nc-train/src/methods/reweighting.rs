//! Re-weighting: rare classes count more in cross entropy, throughout.

use super::{Method, preset::RECIPE_L};
use crate::Reweighting;

/// Of effective numbers, as published (Cui et al. 2019).
pub(super) const BETA: f64 = 0.9999;

pub(super) const METHODS: &[Method] = &[
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
];
