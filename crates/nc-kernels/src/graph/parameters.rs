use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp3, Device, Layout, Result, Shape, Tensor};

use super::token::{token, token_storage};

/// Gradients of a layer's parameters, held between the layer's backward and theirs.
#[derive(Default)]
pub(crate) struct ParameterGradients {
    pub(crate) weight: Option<Vec<f32>>,
    pub(crate) gamma: Option<Vec<f32>>,
    pub(crate) beta: Option<Vec<f32>>,
}

/// Shared slot for the gradients.
#[derive(Clone, Default)]
pub(crate) struct ParameterSlot(Arc<Mutex<ParameterGradients>>);

impl ParameterSlot {
    pub(crate) fn put(&self, gradients: ParameterGradients) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = gradients;
    }

    fn take(&self) -> ParameterGradients {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// (weight, gamma, beta) -> token. Candle's operations take at most three arguments, so a layer takes its parameters
/// through this one.
struct Parameters(ParameterSlot);

/// A token that represents a layer's parameters, and the slot for their gradients.
pub(crate) fn parameters(weight: &Tensor, gamma: &Tensor, beta: &Tensor) -> Result<(Tensor, ParameterSlot)> {
    let slot = ParameterSlot::default();
    let token = if [weight, gamma, beta].iter().any(|parameter| parameter.track_op()) {
        weight.apply_op3(gamma, beta, Parameters(slot.clone()))?
    } else {
        token()?
    };
    Ok((token, slot))
}

impl CustomOp3 for Parameters {
    fn name(&self) -> &'static str {
        "layer_parameters"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(
        &self,
        weight: &Tensor,
        gamma: &Tensor,
        beta: &Tensor,
        _token: &Tensor,
        _gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradients = self.0.take();
        let tensor = |values: Option<Vec<f32>>, like: &Tensor| {
            match values {
                _ if !like.track_op() => Ok(None),
                Some(values) => Tensor::from_vec(values, like.shape(), &Device::Cpu).map(Some),
                // A run's layer that nothing depends on. Candle requires the gradient of a computed tensor.
                None if like.is_variable() => Ok(None),
                None => like.zeros_like().map(Some),
            }
        };
        Ok((
            tensor(gradients.weight, weight)?,
            tensor(gradients.gamma, gamma)?,
            tensor(gradients.beta, beta)?,
        ))
    }
}
