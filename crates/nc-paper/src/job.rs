use nc_train::{DataSource, Experiment, Precision, ValidExperiment};

use crate::{Result, Scale};

/// Name of a cell: table or figure, then the preset, such as `table3/cifar10-lt-r100/nc-drw`.
pub type CellName = String;

/// A run needed by cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Name of the preset.
    pub preset: String,
    /// The experiment.
    pub experiment: ValidExperiment,
    /// Hash of the experiment without its data; unique among jobs.
    pub key: String,
    /// Noise levels of the evaluation, ascending.
    pub noise: Vec<f64>,
    /// Key of the job that trains the first phases.
    pub needs: Option<String>,
    /// Cells that show this run, each with its noise levels (none for accuracy on clean images); empty for a first
    /// phase that no cell shows.
    pub cells: Vec<(CellName, Vec<f64>)>,
    /// The first cell that shows accuracy under noise.
    pub noise_cell: Option<CellName>,
    /// A cell that needs this run, if no preset reproduces the run: a first phase may not be a preset, and smoke-scale
    /// runs are smaller than any preset.
    pub needed_by: Option<CellName>,
}

impl Job {
    /// Command that reproduces the run.
    pub fn command(&self, scale: Scale) -> String {
        let (preset, seed) = (&self.preset, self.experiment.seed);
        let mut options = String::new();
        if scale.shortened() {
            let epochs = self.experiment.phases.first().map_or(1, |phase| phase.epochs);
            options = format!(" --epochs {epochs}");
        }
        if scale.precision() == Precision::Bf16 {
            options += " --precision bf16";
        }
        let on_imagenet_lt = self.experiment.data.source == DataSource::ImageList;
        let first = self.cells.first().map(|(name, _)| name);
        let cell = self.noise_cell.as_ref().or(first.filter(|_| scale == Scale::Smoke));
        if let Some(cell) = cell.or(self.needed_by.as_ref()) {
            let images = if on_imagenet_lt { " --imagenet-lt DIR" } else { "" };
            let scale = scale.name();
            return format!(
                "cargo xtask reproduce-tables --scale {scale} --cells {cell} --seeds {seed}{images}"
            );
        }
        let images = if on_imagenet_lt { " --data-dir DIR" } else { "" };
        format!("cargo xtask train --preset {preset}{options} --seed {seed}{images}")
    }
}

/// Hash of an experiment without its data.
pub(crate) fn key(experiment: &Experiment) -> Result<String> {
    Ok(experiment.hash("")?)
}
