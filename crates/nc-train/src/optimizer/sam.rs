use candle_core::{Tensor, Var, backprop::GradStore};

use super::trainable::Trainable;
use crate::Result;

/// The weights w + `scale` g at which sharpness-aware minimisation takes its second gradient (Foret et al., "Sharpness-Aware
/// Minimization for Efficiently Improving Generalization", ICLR 2021). Parameters without a gradient are left out.
pub(super) fn perturbed(
    params: &[Trainable],
    gradients: &GradStore,
    scale: f64,
) -> Result<Vec<(Var, Tensor)>> {
    let moved = params.iter().filter_map(|param| Some((&param.var, gradients.get(&param.var)?)));
    let moved = moved
        .map(|(var, gradient)| Ok((var.clone(), (var.as_detached_tensor() + (gradient.detach() * scale)?)?)));
    moved.collect()
}
