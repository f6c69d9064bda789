use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Result;

/// Stochastic gradient descent with momentum and coupled weight decay, as PyTorch's `SGD`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate, before the schedule's factor.
    #[schemars(range(max = 1e12), extend("exclusiveMinimum" = 0))]
    pub learning_rate: f64,
    /// Momentum, without dampening.
    #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
    pub momentum: f64,
    /// Look ahead along the momentum (Nesterov).
    #[serde(default)]
    pub nesterov: bool,
    /// Times the parameter, added to its gradient; of every parameter.
    #[schemars(range(min = 0, max = 1e6))]
    pub weight_decay: f64,
    /// Largest norm of all gradients together, to which longer ones are scaled down; absent for no limit. Gradients of
    /// learnable centres do not count and are not scaled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
    pub clip_norm: Option<f64>,
}

/// The optimiser of a model's parameters, with its state.
///
/// ```text
/// g <- gradient min(1, clip_norm / norm of all gradients) + weight_decay w
/// m <- momentum m + g                 (m = g at first)
/// w <- w - lr (g + momentum m  if nesterov, else m)
/// ```
///
/// A variable without a gradient (running statistics, a frozen layer) is left as it is, weight decay included.
pub struct Sgd {
    config: SgdConfig,
    momenta: BTreeMap<String, Tensor>,
}

impl Sgd {
    /// An optimiser without history.
    pub fn new(config: SgdConfig) -> Self {
        Self { config, momenta: BTreeMap::new() }
    }

    /// An optimiser that goes on with these momenta.
    pub(crate) fn resume(config: SgdConfig, momenta: BTreeMap<String, Tensor>) -> Self {
        Self { config, momenta }
    }

    /// The momentum of each variable that had a gradient.
    pub(crate) fn momenta(&self) -> &BTreeMap<String, Tensor> {
        &self.momenta
    }

    /// Moves each of the named `vars` that has a gradient, at the learning rate that `learning_rate` has for its name.
    /// Returns the norm of all their gradients; if it is not finite, nothing is moved.
    ///
    /// The configuration's own learning rate is not looked at: pass it, times the schedule's factor.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn step(
        &mut self,
        vars: &[(String, Var)],
        gradients: &GradStore,
        learning_rate: impl Fn(&str) -> f64,
    ) -> Result<f64> {
        let SgdConfig { momentum, nesterov, weight_decay, clip_norm, .. } = self.config;
        let norm = norm(vars.iter().filter_map(|(_, var)| gradients.get(var)))?;
        if !norm.is_finite() {
            return Ok(norm);
        }
        let clip = clip_norm.filter(|&limit| norm > limit).map(|limit| limit / norm);
        for (name, var) in vars {
            let Some(gradient) = gradients.get(var) else { continue };
            let weight = var.as_detached_tensor();
            let mut step = gradient.detach();
            if let Some(clip) = clip {
                step = (step * clip)?;
            }
            if weight_decay != 0.0 {
                step = (step + (&weight * weight_decay)?)?;
            }
            if momentum != 0.0 {
                let velocity = match self.momenta.get(name) {
                    Some(velocity) => ((velocity * momentum)? + &step)?,
                    None => step.clone(),
                };
                step = if nesterov { (step + (&velocity * momentum)?)? } else { velocity.clone() };
                self.momenta.insert(name.clone(), velocity);
            }
            var.set(&(weight - (step * learning_rate(name))?)?)?;
        }
        Ok(norm)
    }
}

/// Of `gradients` as one vector.
pub(crate) fn norm<'a>(gradients: impl IntoIterator<Item = &'a Tensor>) -> Result<f64> {
    let squares = gradients.into_iter().map(|gradient| gradient.detach().sqr()?.sum_all());
    let squares = squares.collect::<candle_core::Result<Vec<_>>>()?;
    if squares.is_empty() {
        return Ok(0.0);
    }
    let squares = Tensor::stack(&squares, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(squares.sum_all()?.to_scalar::<f64>()?.sqrt())
}
