use std::ops::Deref;

use super::{experiment::Experiment, validate};
use crate::Result;

/// A validated [`Experiment`], as [`train`](crate::train) takes it.
///
/// Dereferences to the experiment; [`ValidExperiment::into_inner`] returns it for changes.
///
/// ```
/// use nc_train::{Settings, ValidExperiment};
///
/// let mut experiment = Settings { preset: Some("cifar10-lt-r100/ce"), ..Settings::default() }.resolve()?.into_inner();
/// experiment.phases[0].batch_size = 256;
/// let valid = ValidExperiment::try_from(experiment)?;
/// assert_eq!(valid.phases[0].batch_size, 256);
/// # Ok::<(), nc_train::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ValidExperiment(Experiment);

impl ValidExperiment {
    /// Returns the experiment, which can then be changed.
    pub fn into_inner(self) -> Experiment {
        self.0
    }
}

/// Checks everything that does not depend on the data: ranges and contradictions between settings. The error names the
/// setting, its value, and its range or the setting it contradicts.
impl TryFrom<Experiment> for ValidExperiment {
    type Error = crate::Error;

    fn try_from(experiment: Experiment) -> Result<Self> {
        validate::check(&experiment)?;
        Ok(Self(experiment))
    }
}

impl Deref for ValidExperiment {
    type Target = Experiment;

    fn deref(&self) -> &Experiment {
        &self.0
    }
}
