use std::sync::Arc;

use candle_core::{Tensor, Var, backprop::GradStore};
use nc_models::{
    ParamStore,
    gpu::{Resident, Vector},
};

use super::{on_gpu::OnGpu, sam::perturbed, trainable::Trainable, update::Optimizer};
use crate::{Result, config::Phase, weight_average::WeightAverage, with_values::with_values};

/// Trained parameters of a phase, with optimiser and weight average. Between steps, those of layers on a GPU stay there.
pub(crate) struct Updates {
    params: Vec<Trainable>,
    optimizer: Optimizer,
    average: Option<WeightAverage>,
    /// Whether parameters may stay on a GPU.
    may_stay: bool,
    on_gpu: Option<OnGpu>,
}

impl Updates {
    pub(crate) fn new(phase: &Phase, params: Vec<Trainable>, may_stay: bool) -> Self {
        Self {
            params,
            optimizer: Optimizer::new(phase.optimizer),
            average: phase.weight_average.map(WeightAverage::new),
            may_stay,
            on_gpu: None,
        }
    }

    /// Prepares for a step.
    pub(crate) fn begin_step(&mut self) -> Result<()> {
        if self.may_stay && self.on_gpu.is_none() {
            self.on_gpu = OnGpu::enter(&self.params, &self.optimizer, self.average.as_ref())?;
            // A process has its GPU before it trains.
            self.may_stay = self.on_gpu.is_some();
        }
        Ok(())
    }

    /// Makes variables, optimiser and average current on the host.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if let Some(on_gpu) = &self.on_gpu {
            on_gpu.leave(&self.params, &mut self.optimizer, self.average.as_mut())?;
            self.on_gpu = None;
        }
        Ok(())
    }

    /// Forgets the gradients of an earlier pass.
    pub(crate) fn begin_pass(&self) {
        if let Some(on_gpu) = &self.on_gpu {
            on_gpu.resident().clear_gradients();
        }
    }

    /// The gradients on the host.
    pub(crate) fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        self.params.iter().filter_map(|param| gradients.get(&param.var)).collect()
    }

    /// Squared norms of the gradients on a GPU.
    pub(crate) fn squared_norms(&self) -> Result<Vec<f64>> {
        match &self.on_gpu {
            Some(on_gpu) => Ok(on_gpu.resident().squared_norms()?),
            None => Ok(vec![]),
        }
    }

    /// The weights at which sharpness-aware minimisation takes its second gradient, given the norm of all gradients.
    pub(crate) fn perturbed(&self, gradients: &GradStore, rho: f64, norm: f64) -> Result<Perturbed> {
        let scale = rho / (norm + 1e-12);
        let on_gpu = self.on_gpu.as_ref().map(OnGpu::resident);
        let on_gpu = on_gpu.map(|resident| Ok::<_, crate::Error>((resident.clone(), resident.moved(scale)?)));
        Ok(Perturbed { on_host: perturbed(&self.params, gradients, scale)?, on_gpu: on_gpu.transpose()? })
    }

    /// Updates each parameter that has a gradient, given the finite norm of all gradients, and then the average of the
    /// variables in `all`.
    pub(crate) fn apply(
        &mut self,
        gradients: &GradStore,
        learning_rate: f64,
        norm: f64,
        all: &ParamStore,
    ) -> Result<()> {
        if let Some(on_gpu) = &self.on_gpu {
            let read_there = self.params.iter().zip(on_gpu.reads()).filter(|(_, reads)| *reads);
            let shared = read_there.map(|(param, _)| param).find(|one| gradients.get(&one.var).is_some());
            if let Some(Trainable { name, .. }) = shared {
                let message =
                    format!("{name:?} is a parameter of a layer on the GPU and of another operation");
                return Err(candle_core::Error::Msg(message).into());
            }
        }
        self.optimizer.apply(&self.params, gradients, learning_rate, norm)?;
        if let Some(on_gpu) = &mut self.on_gpu {
            on_gpu.apply(&self.params, learning_rate, norm)?;
        }
        let Some(average) = &mut self.average else { return Ok(()) };
        let rate = average.rate();
        let mut there = vec![];
        if let Some(on_gpu) = &self.on_gpu {
            on_gpu.update_average(rate)?;
            let params = self.params.iter().zip(on_gpu.reads());
            there = params.filter(|(_, reads)| *reads).map(|(param, _)| param.name.as_str()).collect();
        }
        average.update(all, rate, &there)
    }

    /// The average, after [`Updates::settle`].
    pub(crate) fn average(&self) -> Option<&WeightAverage> {
        self.average.as_ref()
    }

    /// Optimiser and average under their names in a checkpoint, after [`Updates::settle`].
    pub(crate) fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let average = self.average.iter().flat_map(WeightAverage::state);
        Ok(self.optimizer.state()?.into_iter().chain(average).collect())
    }

    /// Restores one tensor of the state; false for another. `all` are the variables of the network.
    pub(crate) fn restore(&mut self, all: &ParamStore, name: &str, tensor: &Tensor) -> Result<bool> {
        let known = self.optimizer.restore(&self.params, name, tensor)?;
        Ok(known || self.average.as_mut().is_some_and(|average| average.restore(all, name, tensor)))
    }
}

/// Other values of the parameters.
pub(crate) struct Perturbed {
    on_host: Vec<(Var, Tensor)>,
    on_gpu: Option<(Arc<Resident>, Vector)>,
}

impl Perturbed {
    /// The result of `of` while the parameters have these values.
    pub(crate) fn with<T>(&self, of: impl FnOnce() -> Result<T>) -> Result<T> {
        let of = || match &self.on_gpu {
            Some((resident, values)) => resident.with(values, of),
            None => of(),
        };
        with_values(&self.on_host, of)
    }
}
