use std::collections::BTreeMap;

use candle_core::{Tensor, backprop::GradStore};

use super::trainable::{Trainable, for_each_clipped, gradient_norm};
use crate::{Result, config::SgdConfig};

/// SGD with momentum, weight decay and gradient clipping, and its state.
///
/// ```text
/// g <- gradient min(1, clip_norm / norm of all gradients) + weight_decay w
/// m <- momentum m + g                 (m = g at first)
/// w <- w - lr (g + momentum m  if nesterov, else m)
/// ```
///
/// Variables without a gradient (running statistics, frozen layers) do not change, not even by weight decay.
pub struct Sgd {
    pub(super) config: SgdConfig,
    pub(super) momenta: BTreeMap<String, Tensor>,
}

/// Prefix of a momentum's name in a checkpoint.
const MOMENTUM: &str = "momentum/";

impl Sgd {
    /// An optimiser without momenta.
    pub fn new(config: SgdConfig) -> Self {
        Self { config, momenta: BTreeMap::new() }
    }

    /// Momenta under their names in a checkpoint, for each parameter that had a gradient.
    pub(super) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.momenta.iter().map(|(name, momentum)| (format!("{MOMENTUM}{name}"), momentum.clone()))
    }

    /// Restores the momentum of one of `params` from its name in a checkpoint; false for another tensor.
    pub(super) fn restore(&mut self, params: &[Trainable], name: &str, tensor: &Tensor) -> bool {
        let of_param = name.strip_prefix(MOMENTUM);
        let Some(param) = params.iter().find(|param| Some(param.name.as_str()) == of_param) else {
            return false;
        };
        self.momenta.insert(param.name.clone(), tensor.clone());
        true
    }

    /// Updates each of `params` that has a gradient and returns the global gradient norm. If the norm is not finite,
    /// nothing changes.
    ///
    /// `learning_rate` includes the schedule's factor and replaces that of the configuration.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn step(&mut self, params: &[Trainable], gradients: &GradStore, learning_rate: f64) -> Result<f64> {
        let Some(norm) = gradient_norm(params, gradients)? else { return Ok(0.0) };
        if norm.is_finite() {
            self.apply(params, gradients, learning_rate, norm)?;
        }
        Ok(norm)
    }

    /// [`Sgd::step`] with a known, finite gradient `norm`.
    pub(super) fn apply(
        &mut self,
        params: &[Trainable],
        gradients: &GradStore,
        learning_rate: f64,
        norm: f64,
    ) -> Result<()> {
        let SgdConfig { momentum, nesterov, weight_decay, clip_norm, .. } = self.config;
        for_each_clipped(params, gradients, clip_norm, norm, |Trainable { name, var, rate }, mut step| {
            let weight = var.as_detached_tensor();
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
            Ok(var.set(&(weight - (step * (learning_rate * rate))?)?)?)
        })
    }
}
