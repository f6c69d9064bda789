use nc_train::{Experiment, ValidExperiment};

use crate::{Result, Scale};

/// `table3/cifar10-lt-r100/nc-drw`: where a run's figure stands, and its preset.
pub type CellName = String;

/// A run that cells need.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The preset's name.
    pub preset: String,
    /// What is run.
    pub experiment: ValidExperiment,
    /// Names the experiment, whatever the data: two jobs with one key are one.
    pub key: String,
    /// Noise under which it is tested, in rising order.
    pub noise: Vec<f64>,
    /// The key of the job whose phases it begins with.
    pub needs: Option<String>,
    /// The cells it is for, each with the noise of its own figures (none for accuracy on plain images); empty for a first phase
    /// that no cell shows.
    pub cells: Vec<(CellName, Vec<f64>)>,
    /// The first of them that shows accuracy under noise.
    pub noise_cell: Option<CellName>,
    /// A cell whose run is this one or begins with it, where no preset alone is it: a first phase may have none, and at
    /// smoke scale runs are smaller than any preset.
    pub needed_by: Option<CellName>,
}

impl Job {
    /// The command that repeats it.
    pub fn command(&self, scale: Scale) -> String {
        let (preset, seed) = (&self.preset, self.experiment.seed);
        let epochs = match scale {
            Scale::Paper => String::new(),
            Scale::Quick | Scale::Smoke => {
                format!(" --epochs {}", self.experiment.phases.first().map_or(1, |phase| phase.epochs))
            }
        };
        let first = self.cells.first().map(|(name, _)| name);
        let cell = self.noise_cell.as_ref().or(first.filter(|_| scale == Scale::Smoke));
        match cell.or(self.needed_by.as_ref()) {
            Some(cell) => {
                let scale = scale.name();
                format!("cargo xtask reproduce-tables --scale {scale} --cells {cell} --seeds {seed}")
            }
            None => format!("cargo xtask train --preset {preset}{epochs} --seed {seed}"),
        }
    }
}

/// Names an experiment, whatever the data.
pub(crate) fn key(experiment: &Experiment) -> Result<String> {
    Ok(experiment.hash("")?)
}
