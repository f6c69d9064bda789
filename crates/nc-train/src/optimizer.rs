use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};

use crate::{Result, config::SgdConfig};

/// A trained parameter with its learning-rate factor.
#[derive(Clone, Debug)]
pub struct Trainable {
    /// Name, under which its momentum is stored.
    pub name: String,
    /// The variable.
    pub var: Var,
    /// Learning-rate factor.
    pub rate: f64,
}

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
    config: SgdConfig,
    momenta: BTreeMap<String, Tensor>,
}

impl Sgd {
    /// An optimiser without momenta.
    pub fn new(config: SgdConfig) -> Self {
        Self { config, momenta: BTreeMap::new() }
    }

    /// Restores `momenta`.
    pub(crate) fn resume(&mut self, momenta: BTreeMap<String, Tensor>) {
        self.momenta = momenta;
    }

    /// Momenta by parameter name, for each parameter that had a gradient.
    pub(crate) fn momenta(&self) -> &BTreeMap<String, Tensor> {
        &self.momenta
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
        let squares = params.iter().filter_map(|param| gradients.get(&param.var));
        let squares = squares.map(|gradient| gradient.detach().sqr()?.sum_all());
        let squares = squares.collect::<candle_core::Result<Vec<_>>>()?;
        if squares.is_empty() {
            return Ok(0.0);
        }
        let squares = Tensor::stack(&squares, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        let norm = squares.sum_all()?.to_scalar::<f64>()?.sqrt();
        if norm.is_finite() {
            self.apply(params, gradients, learning_rate, norm)?;
        }
        Ok(norm)
    }

    /// [`Sgd::step`] with a known, finite gradient `norm`.
    pub(crate) fn apply(
        &mut self,
        params: &[Trainable],
        gradients: &GradStore,
        learning_rate: f64,
        norm: f64,
    ) -> Result<()> {
        let SgdConfig { momentum, nesterov, weight_decay, clip_norm, .. } = self.config;
        let clip = clip_norm.filter(|&limit| norm > limit).map(|limit| limit / norm);
        for Trainable { name, var, rate } in params {
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
            var.set(&(weight - (step * (learning_rate * rate))?)?)?;
        }
        Ok(())
    }
}
