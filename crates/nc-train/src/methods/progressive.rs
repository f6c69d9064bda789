//! Progressively-balanced sampling (Kang et al. 2020, section 4): from the images' own frequencies in the first epoch to
//! every class equally often in the last.

use super::{Method, preset::RECIPE_L};
use crate::SamplerKind;

pub(super) const METHODS: &[Method] = &[Method {
    name: "ce-progressive",
    description: "cross entropy, sampled from image-balanced to class-balanced",
    sampler: SamplerKind::Progressive,
    ..RECIPE_L
}];
