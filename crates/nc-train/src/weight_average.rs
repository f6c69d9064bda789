//! Moving average of a network's weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use nc_models::{ParamStore, Role};

use crate::{Result, with_values::with_values};

/// Prefix of names in a checkpoint.
const AVERAGE: &str = "average/";

/// Moving average a <- a + (1 - d) (w - a) of the learned weights and running statistics of a network, as PyTorch's
/// `AveragedModel` computes it with `get_ema_multi_avg_fn(d)` and `use_buffers=True`. It starts as a = w in its first update.
pub(crate) struct WeightAverage {
    decay: f64,
    averages: BTreeMap<String, Tensor>,
}

impl WeightAverage {
    pub(crate) fn new(decay: f64) -> Self {
        Self { decay, averages: BTreeMap::new() }
    }

    /// Updates the average with the weights of `params` after a step.
    pub(crate) fn update(&mut self, params: &ParamStore) -> Result<()> {
        for (name, var) in averaged(params) {
            let weight = var.as_detached_tensor();
            let moved = match self.averages.get(&name) {
                Some(average) => (average + ((weight - average)? * (1.0 - self.decay))?)?,
                None => weight.copy()?,
            };
            self.averages.insert(name, moved);
        }
        Ok(())
    }

    /// The result of `of` while the variables of `params` have their averages; `None` before the first update.
    pub(crate) fn with<T>(&self, params: &ParamStore, of: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
        if self.averages.is_empty() {
            return Ok(None);
        }
        let values =
            averaged(params).filter_map(|(name, var)| Some((var, self.averages.get(&name)?.clone())));
        with_values(&values.collect::<Vec<_>>(), of).map(Some)
    }

    /// The averages under their names in a checkpoint.
    pub(crate) fn state(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.averages.iter().map(|(name, average)| (format!("{AVERAGE}{name}"), average.clone()))
    }

    /// Restores the average of one of `params` from its name in a checkpoint; false for another tensor.
    pub(crate) fn restore(&mut self, params: &ParamStore, name: &str, tensor: &Tensor) -> bool {
        let known =
            name.strip_prefix(AVERAGE).and_then(|name| averaged(params).find(|(known, _)| known == name));
        let Some((name, _)) = known.filter(|(_, var)| var.dims() == tensor.dims()) else { return false };
        self.averages.insert(name, tensor.clone());
        true
    }
}

/// The variables that change in training.
fn averaged(params: &ParamStore) -> impl Iterator<Item = (String, Var)> {
    params.all().into_iter().filter(|param| param.role != Role::Fixed).map(|param| (param.name, param.var))
}
