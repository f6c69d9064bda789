use candle_core::Tensor;

use super::unit_rows::unit_rows;
use crate::{Result, config::UniformTargets, objective::targets::Labels};

/// Uniform targets, assigned to the classes by a matching with moving averages of their mean directions (TSC, Li et al.
/// 2022).
pub(super) struct AssignedTargets {
    pub(super) settings: UniformTargets,
    /// (K, D), unit rows; computed at the first use.
    pub(super) targets: Option<Tensor>,
    /// Average directions of the classes, (K, D); zero rows for classes without a batch so far.
    centroids: Option<Tensor>,
}

/// Share of the old average direction.
const MOMENTUM: f64 = 0.9;

/// Names in checkpoints.
const TARGETS: &str = "contrast/targets";
const CENTROIDS: &str = "contrast/centroids";

impl AssignedTargets {
    pub(super) fn new(settings: UniformTargets) -> Self {
        Self { settings, targets: None, centroids: None }
    }

    /// Moves the averages of the classes of a batch; returns the targets and the target index of each class.
    pub(super) fn assign(
        &mut self,
        embeddings: &Tensor,
        labels: &Labels,
        classes: usize,
        seed: u64,
    ) -> Result<(Tensor, Vec<usize>)> {
        let (dims, device) = (embeddings.dim(1)?, embeddings.device());
        let computed = || {
            let targets = nc_losses::uniform_targets(classes, dims, seed)?;
            Ok::<_, crate::Error>(targets.to_dtype(embeddings.dtype())?.to_device(device)?)
        };
        let targets = self.targets.take().map_or_else(computed, Ok)?;
        let old = match self.centroids.take() {
            Some(centroids) => centroids,
            None => Tensor::zeros((classes, dims), embeddings.dtype(), device)?,
        };
        let present = nc_losses::class_means_by(&embeddings.detach(), &labels.host, classes)?;
        let rows = Tensor::new(present.classes, device)?;
        let own = old.index_select(&rows, 0)?;
        let moved = unit_rows(&((&own * MOMENTUM)? + (unit_rows(&present.means)? * (1.0 - MOMENTUM))?)?)?;
        let centroids = old.index_add(&rows, &(moved - own)?, 0)?;
        let assigned = match nc_losses::assign_targets(&centroids, &targets) {
            // Non-finite averages have no matching; the loss is not finite then either, which ends the run.
            Err(nc_losses::Error::Range { argument: "centroids", .. }) => (0..classes).collect(),
            assigned => assigned?,
        };
        (self.targets, self.centroids) = (Some(targets.clone()), Some(centroids));
        Ok((targets, assigned))
    }

    pub(super) fn state(&self) -> Vec<(String, Tensor)> {
        let named = [(TARGETS, &self.targets), (CENTROIDS, &self.centroids)];
        named.into_iter().filter_map(|(name, tensor)| Some((name.to_owned(), tensor.clone()?))).collect()
    }

    pub(super) fn restore(&mut self, name: &str, tensor: &Tensor) -> bool {
        match name {
            TARGETS => self.targets = Some(tensor.clone()),
            CENTROIDS => self.centroids = Some(tensor.clone()),
            _ => return false,
        }
        true
    }
}
