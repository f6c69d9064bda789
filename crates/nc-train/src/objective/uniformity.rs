use super::{
    sum::sum,
    term::{Part, StepContext, Term},
};
use crate::{Error, Result, config::Uniformity};

/// The uniformity of the class directions, as the mean over the heads.
pub(super) struct UniformityTerm(pub(super) Uniformity);

impl Term for UniformityTerm {
    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let Uniformity { weight, sharpness } = self.0;
        let heads = step.network.heads();
        let number = heads.len() as f64;
        let values = heads.iter().map(|head| Ok(nc_losses::uniformity(&head.weight()?, sharpness)?));
        let values = sum(values)?.ok_or(Error::NoClassifier { needed_by: "uniformity" })?;
        Ok(vec![Part { name: "uniformity", weight, value: (values / number)? }])
    }
}
