//! Re-sampling: rare classes drawn more often.

use super::{Method, preset::RECIPE_L, reweighting::BETA};
use crate::SamplerKind;

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "ce-rs",
        description: "cross entropy, images sampled by the inverse effective number of their class",
        sampler: SamplerKind::EffectiveNumber { beta: BETA },
        ..RECIPE_L
    },
    Method {
        name: "ce-rs-inverse",
        description: "cross entropy, each class sampled with equal probability",
        sampler: SamplerKind::ClassBalanced,
        ..RECIPE_L
    },
];
