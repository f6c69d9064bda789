use std::collections::BTreeMap;

use candle_core::{Tensor, backprop::GradStore};

use super::trainable::{Trainable, for_each_clipped, gradient_norm};
use crate::{Result, config::AdamWConfig};

/// AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019) with gradient clipping, and its
/// state: the update of PyTorch's `torch.optim.AdamW`. In step t of a parameter, from 1:
///
/// ```text
/// g <- gradient min(1, clip_norm / norm of all gradients)
/// w <- w (1 - lr weight_decay)
/// m <- beta1 m + (1 - beta1) g        (m = 0 at first)
/// v <- beta2 v + (1 - beta2) g^2      (v = 0 at first)
/// w <- w - lr / (1 - beta1^t)  m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
/// ```
///
/// Weight decay applies to every parameter, biases and batch norm included, as with [`Sgd`](crate::Sgd). Variables
/// without a gradient (running statistics, frozen layers) do not change, not even by weight decay.
pub struct AdamW {
    pub(super) config: AdamWConfig,
    pub(super) moments: BTreeMap<String, Moments>,
}

/// State of one parameter.
#[derive(Clone, Default)]
pub(super) struct Moments {
    /// Number of updates.
    pub(super) steps: u32,
    /// Moving averages of gradient and squared gradient; `None` before the first update.
    pub(super) first: Option<Tensor>,
    pub(super) second: Option<Tensor>,
}

/// Prefixes of names in a checkpoint.
const STEPS: &str = "adamw/steps/";
const FIRST: &str = "adamw/first/";
const SECOND: &str = "adamw/second/";

impl AdamW {
    /// An optimiser before its first step.
    pub fn new(config: AdamWConfig) -> Self {
        Self { config, moments: BTreeMap::new() }
    }

    /// Moments and step counts under their names in a checkpoint, for each parameter that had a gradient. A step count
    /// takes two values, because a checkpoint holds `f32`: the multiple of 2^16, and the rest.
    pub(super) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = vec![];
        for (name, Moments { steps, first, second }) in &self.moments {
            let (Some(first), Some(second)) = (first, second) else { continue };
            let halves = [(steps >> 16) as f32, (steps & 0xFFFF) as f32];
            state.push((format!("{STEPS}{name}"), Tensor::new(&halves, first.device())?));
            state.push((format!("{FIRST}{name}"), first.clone()));
            state.push((format!("{SECOND}{name}"), second.clone()));
        }
        Ok(state)
    }

    /// Restores one tensor of the state of one of `params` from its name in a checkpoint; false for another tensor.
    pub(super) fn restore(&mut self, params: &[Trainable], name: &str, tensor: &Tensor) -> Result<bool> {
        let known = |name: &str| params.iter().any(|param| param.name == name);
        for prefix in [STEPS, FIRST, SECOND] {
            let Some(param) = name.strip_prefix(prefix).filter(|param| known(param)) else { continue };
            let moments = self.moments.entry(param.to_owned()).or_default();
            match prefix {
                STEPS => moments.steps = read_steps(tensor)?,
                FIRST => moments.first = Some(tensor.clone()),
                _ => moments.second = Some(tensor.clone()),
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Correction 1 - beta^steps of a moment.
    pub(super) fn correction(beta: f64, steps: u32) -> f64 {
        1.0 - beta.powf(f64::from(steps))
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

    /// [`AdamW::step`] with a known, finite gradient `norm`.
    pub(super) fn apply(
        &mut self,
        params: &[Trainable],
        gradients: &GradStore,
        learning_rate: f64,
        norm: f64,
    ) -> Result<()> {
        let AdamWConfig { beta1, beta2, epsilon, weight_decay, clip_norm, .. } = self.config;
        for_each_clipped(params, gradients, clip_norm, norm, |Trainable { name, var, rate }, gradient| {
            let learning_rate = learning_rate * rate;
            let moments = self.moments.entry(name.clone()).or_default();
            let averaged = |old: Option<&Tensor>, new: Tensor, beta: f64| -> Result<Tensor> {
                let new = (new * (1.0 - beta))?;
                Ok(if let Some(old) = old { ((old * beta)? + new)? } else { new })
            };
            let first = averaged(moments.first.as_ref(), gradient.clone(), beta1)?;
            let second = averaged(moments.second.as_ref(), gradient.sqr()?, beta2)?;
            let steps = moments.steps.saturating_add(1);
            let correction = |beta| Self::correction(beta, steps);
            let scale = ((second.sqrt()? * (1.0 / correction(beta2).sqrt()))? + epsilon)?;
            let update = ((&first / scale)? * (learning_rate / correction(beta1)))?;
            let decayed = (var.as_detached_tensor() * (1.0 - learning_rate * weight_decay))?;
            var.set(&(decayed - update)?)?;
            *moments = Moments { steps, first: Some(first), second: Some(second) };
            Ok(())
        })
    }
}

/// The step count of [`AdamW::state`].
fn read_steps(tensor: &Tensor) -> Result<u32> {
    let halves: Vec<f32> = tensor.to_vec1()?;
    Ok(halves.iter().fold(0, |steps, &half| (steps << 16) | half as u32))
}
