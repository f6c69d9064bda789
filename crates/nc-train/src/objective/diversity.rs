use candle_core::Tensor;

use super::term::{EpochContext, Part, StepContext, Term};
use crate::{Error, Result, config::Diversity};

/// -weight T^2 sum_e KL(p || q_e) on the logits of the experts (RIDE, Wang et al. 2021).
pub(super) struct DiversityTerm {
    settings: Diversity,
    class_counts: Vec<usize>,
    /// T_k of the epoch.
    temperatures: Vec<f64>,
}

impl DiversityTerm {
    pub(super) fn new(settings: Diversity, class_counts: &[usize]) -> Self {
        Self { settings, class_counts: class_counts.to_vec(), temperatures: vec![1.0; class_counts.len()] }
    }
}

impl Term for DiversityTerm {
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        let Diversity { spread, from_epoch, .. } = self.settings;
        let spread = if epoch.epoch >= from_epoch { spread } else { 0.0 };
        self.temperatures = nc_losses::diversity_temperatures(&self.class_counts, spread);
        Ok(())
    }

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let logits: Option<Vec<Tensor>> = step.branches.iter().map(|branch| branch.logits.clone()).collect();
        let logits = logits.ok_or(Error::NoClassifier { needed_by: "diversity" })?;
        let value = nc_losses::diversity(&logits, &self.temperatures)?;
        Ok(vec![Part { name: "diversity", weight: -self.settings.weight, value }])
    }
}
