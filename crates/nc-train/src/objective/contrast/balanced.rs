use nc_models::Mode;

use crate::{
    Error, Result,
    objective::{
        embeddings::Embeddings,
        term::{Part, StepContext, Term},
    },
};

/// BCL (Zhu et al. 2022), with prototypes projected from the class directions.
pub(super) struct BalancedContrast {
    pub(super) weight: f64,
    pub(super) temperature: f64,
    pub(super) first_view: usize,
}

impl Term for BalancedContrast {
    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let embeddings = Embeddings::of(step, self.first_view)?;
        let prototypes = step.network.prototypes(Mode::Train)?.ok_or(Error::NoProjection)?;
        let labels = &embeddings.labels().tensor;
        let temperature = self.temperature;
        let each =
            nc_losses::balanced_contrastive_each(&embeddings.tensor, labels, &prototypes, temperature)?;
        Ok(vec![Part { name: "contrast", weight: self.weight, value: each.mean()? }])
    }
}
