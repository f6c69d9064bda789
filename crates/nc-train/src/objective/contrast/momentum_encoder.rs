use std::collections::BTreeMap;

use candle_core::Tensor;
use nc_models::{Mode, Network, Param, Pass, Precision, Role};

use crate::{Error, Result, with_values::with_values};

/// A moving average of a network's parameters, with batch-norm statistics of its own (MoCo, He et al. 2020).
///
/// It has no layers: to compute embeddings, its values take the place of the network's for one forward pass.
pub(super) struct MomentumEncoder {
    momentum: f64,
    /// Values by name; empty before the first use, when they are copies of the network's.
    values: BTreeMap<String, Tensor>,
}

/// Prefix of the names in checkpoints.
const PREFIX: &str = "contrast/encoder/";

impl MomentumEncoder {
    pub(super) fn new(momentum: f64) -> Self {
        Self { momentum, values: BTreeMap::new() }
    }

    /// The embeddings (B, D) of `images`, without gradient. Batch norm uses the statistics of the batch.
    pub(super) fn embed(
        &mut self,
        network: &dyn Network,
        images: &Tensor,
        precision: Precision,
    ) -> Result<Tensor> {
        let params = network.params().all();
        let mut values = vec![];
        for Param { name, var, .. } in &params {
            let value = match self.values.get(name) {
                Some(value) => value.clone(),
                None => var.as_detached_tensor().copy()?,
            };
            values.push((var.clone(), value));
        }
        let pass = Pass { batch_norm: Mode::Train, gradient: false, precision };
        let mut outputs = with_values(&values, || {
            let outputs = network.forward_views(&[images], pass)?;
            for (Param { name, var, role, .. }, (_, value)) in params.iter().zip(&values) {
                let is_statistic = *role == Role::Statistic;
                let value = if is_statistic { var.as_detached_tensor().copy()? } else { value.clone() };
                self.values.insert(name.clone(), value);
            }
            Ok(outputs)
        })?;
        let embedding = outputs.swap_remove(0).embedding.ok_or(Error::NoProjection)?;
        Ok(embedding.detach())
    }

    /// Moves the average towards the network's parameters.
    pub(super) fn follow(&mut self, network: &dyn Network) -> Result<()> {
        for param in network.params().all() {
            if let Some(value) = self.values.get_mut(&param.name).filter(|_| param.role == Role::Learned) {
                let step = (param.var.as_detached_tensor() * (1.0 - self.momentum))?;
                *value = ((&*value * self.momentum)? + step)?;
            }
        }
        Ok(())
    }

    pub(super) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.values.iter().map(|(name, value)| (format!("{PREFIX}{name}"), value.clone()))
    }

    pub(super) fn restore(&mut self, name: &str, tensor: &Tensor) -> bool {
        let name = name.strip_prefix(PREFIX);
        name.map(|name| self.values.insert(name.to_owned(), tensor.clone())).is_some()
    }
}
