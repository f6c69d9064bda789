use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};

use crate::Result;

/// A trained parameter with its learning-rate factor.
#[derive(Clone, Debug)]
pub struct Trainable {
    /// Name, under which its optimiser state is stored.
    pub name: String,
    /// The variable.
    pub var: Var,
    /// Learning-rate factor.
    pub rate: f64,
}

/// Euclidean norm of the gradients of all `params`; `None` if none has a gradient. Reads from the device once.
pub(super) fn gradient_norm(params: &[Trainable], gradients: &GradStore) -> Result<Option<f64>> {
    let squares = params.iter().filter_map(|param| gradients.get(&param.var));
    let squares = squares.map(|gradient| gradient.detach().sqr()?.sum_all());
    let squares = squares.collect::<candle_core::Result<Vec<_>>>()?;
    if squares.is_empty() {
        return Ok(None);
    }
    let squares = Tensor::stack(&squares, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    let norm = squares.sum_all()?.to_scalar::<f64>()?.sqrt();
    Ok(Some(norm))
}

/// The factor that scales gradients of norm `norm` to `clip_norm`, if that is less.
pub(super) fn clip_factor(clip_norm: Option<f64>, norm: f64) -> Option<f64> {
    clip_norm.filter(|&limit| norm > limit).map(|limit| limit / norm)
}

/// Calls `update` with each of `params` that has a gradient, and the gradient, scaled to a global norm of at most
/// `clip_norm`. `norm` is the global norm before.
pub(super) fn for_each_clipped(
    params: &[Trainable],
    gradients: &GradStore,
    clip_norm: Option<f64>,
    norm: f64,
    mut update: impl FnMut(&Trainable, Tensor) -> Result<()>,
) -> Result<()> {
    let clip = clip_factor(clip_norm, norm);
    for param in params {
        let Some(gradient) = gradients.get(&param.var) else { continue };
        let gradient = gradient.detach();
        update(param, if let Some(clip) = clip { (gradient * clip)? } else { gradient })?;
    }
    Ok(())
}
