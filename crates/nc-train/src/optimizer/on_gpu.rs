//! Optimiser steps on a GPU.

use std::sync::Arc;

use candle_core::{Tensor, Var};
use nc_models::gpu::{self, Factors, Resident, Vector};

use super::{
    adamw::AdamW,
    trainable::{Trainable, clip_factor},
    update::Optimizer,
};
use crate::{
    Result,
    config::{AdamWConfig, SgdConfig},
    weight_average::WeightAverage,
};

/// Trained parameters, optimiser state and weight average, as far as layers on a GPU use the parameters. Between
/// [`OnGpu::enter`] and [`OnGpu::leave`], those of the host are out of date.
pub(super) struct OnGpu {
    resident: Arc<Resident>,
    state: State,
    average: Option<Vector>,
}

enum State {
    Sgd { config: SgdConfig, momenta: Vector },
    AdamW { config: AdamWConfig, first: Vector, second: Vector, steps: Vec<u32> },
}

impl OnGpu {
    /// Copies everything to the GPU; `None` without one.
    pub(super) fn enter(
        params: &[Trainable],
        optimizer: &Optimizer,
        average: Option<&WeightAverage>,
    ) -> Result<Option<Self>> {
        let vars: Vec<Var> = params.iter().map(|param| param.var.clone()).collect();
        let Some(resident) = Resident::new(&vars)? else { return Ok(None) };
        let vector = |of: &dyn Fn(&str) -> Option<Tensor>| {
            let tensors: Vec<_> = params.iter().map(|param| of(&param.name)).collect();
            resident.vector(&tensors)
        };
        let state = match optimizer {
            Optimizer::Sgd(sgd) => {
                let momenta = vector(&|name| sgd.momenta.get(name).cloned())?;
                State::Sgd { config: sgd.config, momenta }
            }
            Optimizer::AdamW(adamw) => {
                let moments = |name: &str| adamw.moments.get(name);
                State::AdamW {
                    config: adamw.config,
                    first: vector(&|name| moments(name)?.first.clone())?,
                    second: vector(&|name| moments(name)?.second.clone())?,
                    steps: params.iter().map(|param| moments(&param.name).map_or(0, |of| of.steps)).collect(),
                }
            }
        };
        let average = average.map(|average| vector(&|name| average.get(name).cloned())).transpose()?;
        Ok(Some(Self { resident: Arc::new(resident), state, average }))
    }

    /// Copies everything back. After an error nothing has changed.
    pub(super) fn leave(
        &self,
        params: &[Trainable],
        optimizer: &mut Optimizer,
        average: Option<&mut WeightAverage>,
    ) -> Result<()> {
        let Self { resident, state, average: own_average } = self;
        let used = |vector: &Vector| -> Result<Vec<(usize, Tensor)>> {
            let tensors = resident.tensors(vector)?.into_iter().enumerate();
            Ok(tensors.filter_map(|(index, tensor)| Some((index, tensor?))).collect())
        };
        let vectors = match state {
            State::Sgd { config, .. } if config.momentum == 0.0 => vec![],
            State::Sgd { momenta, .. } => vec![used(momenta)?],
            State::AdamW { first, second, .. } => vec![used(first)?, used(second)?],
        };
        let averages = own_average.as_ref().map(used).transpose()?;
        resident.sync()?;
        let mut vectors = vectors.into_iter();
        match (state, optimizer) {
            (State::Sgd { .. }, Optimizer::Sgd(sgd)) => {
                for (index, momentum) in vectors.next().unwrap_or_default() {
                    sgd.momenta.insert(params[index].name.clone(), momentum);
                }
            }
            (State::AdamW { steps, .. }, Optimizer::AdamW(adamw)) => {
                let (first, second) =
                    (vectors.next().unwrap_or_default(), vectors.next().unwrap_or_default());
                for ((index, first), (_, second)) in first.into_iter().zip(second) {
                    let moments = adamw.moments.entry(params[index].name.clone()).or_default();
                    moments.steps = steps[index];
                    (moments.first, moments.second) = (Some(first), Some(second));
                }
            }
            _ => {}
        }
        if let (Some(averages), Some(average)) = (averages, average) {
            for (index, tensor) in averages {
                average.set(&params[index].name, tensor);
            }
        }
        Ok(())
    }

    pub(super) fn resident(&self) -> &Arc<Resident> {
        &self.resident
    }

    /// Whether layers on the GPU read each parameter.
    pub(super) fn reads(&self) -> Vec<bool> {
        self.resident.reads()
    }

    /// Updates each parameter that has a gradient here, given the finite norm of all gradients.
    pub(super) fn apply(&mut self, params: &[Trainable], learning_rate: f64, norm: f64) -> Result<()> {
        let rates = params.iter().map(|param| learning_rate * param.rate);
        match &mut self.state {
            State::Sgd { config, momenta } => {
                let clip = clip_factor(config.clip_norm, norm).unwrap_or(1.0);
                let factors: Vec<_> = rates.map(|rate| Factors { clip, ..Factors::rate(rate) }).collect();
                let SgdConfig { momentum, nesterov, weight_decay, .. } = *config;
                self.resident.sgd(gpu::Sgd { momentum, weight_decay, nesterov }, &factors, momenta)?;
            }
            State::AdamW { config, first, second, steps } => {
                let AdamWConfig { beta1, beta2, epsilon, weight_decay, clip_norm, .. } = *config;
                let clip = clip_factor(clip_norm, norm).unwrap_or(1.0);
                for (steps, has_gradient) in steps.iter_mut().zip(self.resident.have_gradients()) {
                    *steps = steps.saturating_add(u32::from(has_gradient));
                }
                let factors = rates.zip(&*steps).map(|(rate, &steps)| Factors {
                    clip,
                    rate: rate / AdamW::correction(beta1, steps),
                    correction: AdamW::correction(beta2, steps).sqrt().recip(),
                    decay: 1.0 - rate * weight_decay,
                });
                let factors: Vec<_> = factors.collect();
                self.resident.adamw(gpu::AdamW { beta1, beta2, epsilon }, &factors, first, second)?;
            }
        }
        Ok(())
    }

    /// Moves the average towards the parameters.
    pub(super) fn update_average(&self, rate: f64) -> Result<()> {
        match &self.average {
            Some(average) => Ok(self.resident.average(average, rate)?),
            None => Ok(()),
        }
    }
}
