use std::ops::Deref;

use super::{experiment::Experiment, validate};
use crate::Result;

/// An [`Experiment`] whose settings are in range and go together: what [`train`](crate::train) takes.
///
/// It can be read as an experiment; to change it, take it out with [`ValidExperiment::into_inner`].
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
    /// The experiment, to be changed.
    pub fn into_inner(self) -> Experiment {
        self.0
    }
}

/// Checks what can be checked without the data: that every number is in its range, and that settings go together. The
/// error names the setting, its value and its range, or what it contradicts.
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
