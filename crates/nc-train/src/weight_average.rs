//! Moving average of a network's weights.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use nc_models::{ParamStore, Role};

use crate::Result;

/// Prefix of names in a checkpoint.
const AVERAGE: &str = "average/";

/// Moving average a <- a + (1 - d) (w - a) of the learned weights and running statistics of a network, as PyTorch's
/// `AveragedModel` computes it with `get_ema_multi_avg_fn(d)` and `use_buffers=True`. It starts as a = w in its first update.
pub(crate) struct WeightAverage {
    decay: f64,
    /// Whether there was an update.
    begun: bool,
    averages: BTreeMap<String, Tensor>,
}

impl WeightAverage {
    pub(crate) fn new(decay: f64) -> Self {
        Self { decay, begun: false, averages: BTreeMap::new() }
    }

    /// 1 - d, or 1 for the first update.
    pub(crate) fn rate(&self) -> f64 {
        if self.begun { 1.0 - self.decay } else { 1.0 }
    }

    /// Updates the average with the weights of `params` after a step, except those in `elsewhere`.
    pub(crate) fn update(&mut self, params: &ParamStore, rate: f64, elsewhere: &[&str]) -> Result<()> {
        for (name, var) in averaged(params).filter(|(name, _)| !elsewhere.contains(&name.as_str())) {
            let weight = var.as_detached_tensor();
            let moved = match self.averages.get(&name) {
                Some(average) => (average + ((weight - average)? * rate)?)?,
                None => weight.copy()?,
            };
            self.averages.insert(name, moved);
        }
        self.begun = true;
        Ok(())
    }

    /// The average of a variable.
    pub(crate) fn get(&self, name: &str) -> Option<&Tensor> {
        self.averages.get(name)
    }

    /// Replaces the average of a variable.
    pub(crate) fn set(&mut self, name: &str, average: Tensor) {
        self.averages.insert(name.to_owned(), average);
    }

    /// The variables of `params` with their averages; none before the first update.
    pub(crate) fn values(&self, params: &ParamStore) -> Vec<(Var, Tensor)> {
        let values =
            averaged(params).filter_map(|(name, var)| Some((var, self.averages.get(&name)?.clone())));
        values.collect()
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
        self.begun = true;
        true
    }
}

/// The variables that change in training.
fn averaged(params: &ParamStore) -> impl Iterator<Item = (String, Var)> {
    params.all().into_iter().filter(|param| param.role != Role::Fixed).map(|param| (param.name, param.var))
}
