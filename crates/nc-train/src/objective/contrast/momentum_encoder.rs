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

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use nc_models::{HeadConfig, Model, ParamStore, ProjectionConfig, ResNet, ResNetConfig};

    use super::*;

    #[test]
    fn parameters_follow_and_statistics_are_those_of_the_batches() {
        let params = ParamStore::new(0, &Device::Cpu);
        let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1).unwrap(), &params.builder()).unwrap();
        let projection = ProjectionConfig { hidden: 4, batch_norm: false, dims: 3, class_prototypes: false };
        let network = Model::new(params, resnet, &HeadConfig::Linear, 3).unwrap();
        let network = network.with_projection(projection).unwrap();
        let mut encoder = MomentumEncoder::new(0.75);
        let images = Tensor::rand(-1f32, 1.0, (4, 1, 8, 8), &Device::Cpu).unwrap();
        encoder.embed(&network, &images, Precision::F32).unwrap();

        let values = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let before: Vec<Vec<f32>> = network.params().all().iter().map(|param| values(&param.var)).collect();
        for Param { var, .. } in network.params().all() {
            var.set(&(var.as_detached_tensor() + 2.0).unwrap()).unwrap();
        }
        let statistics = encoder.values.clone();
        encoder.follow(&network).unwrap();
        for (Param { name, role, .. }, before) in network.params().all().iter().zip(before) {
            let found = values(&encoder.values[name]);
            if *role == Role::Learned {
                // 3/4 x + 1/4 (x + 2).
                let error = found.iter().zip(before).map(|(found, x)| (found - x - 0.5).abs());
                assert!(error.fold(0.0, f32::max) < 1e-5, "{name}");
            } else {
                assert_eq!(found, values(&statistics[name]), "{name}");
                assert_ne!(found, before, "{name}: the statistics are those of embed");
            }
        }
    }
}
