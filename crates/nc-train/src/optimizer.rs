use std::collections::BTreeMap;

use candle_core::{Tensor, Var, backprop::GradStore};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Stochastic gradient descent with momentum and coupled weight decay, as PyTorch's `SGD`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SgdConfig {
    /// Learning rate, before the schedule's factor.
    pub learning_rate: f64,
    /// Momentum, without dampening.
    pub momentum: f64,
    /// Look ahead along the momentum (Nesterov).
    #[serde(default)]
    pub nesterov: bool,
    /// Times the parameter, added to its gradient; of every parameter.
    pub weight_decay: f64,
}

/// The optimiser of a model's parameters, with its state.
///
/// ```text
/// g <- gradient + weight_decay w
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

    /// Moves each of the named `vars` that has a gradient, at learning rate `learning_rate`.
    pub fn step(&mut self, vars: &[(String, Var)], gradients: &GradStore, learning_rate: f64) -> Result<()> {
        let SgdConfig { momentum, nesterov, weight_decay, .. } = self.config;
        for (name, var) in vars {
            let Some(gradient) = gradients.get(var) else { continue };
            let weight = var.as_detached_tensor();
            let mut step = gradient.detach();
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
            var.set(&(weight - (step * learning_rate)?)?)?;
        }
        Ok(())
    }
}
