//! Arguments that name a trained model.

use std::path::PathBuf;

use anyhow::{Result, bail};
use nc_kernels::threads;
use nc_record::{Checkpoint, Error, shell_word};
use nc_train::Trained;

use crate::{compute, output, terminal::say};

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Directory of a finished run, or a weights file in it.
    #[arg(value_name = "RUN")]
    path: PathBuf,
    #[command(flatten)]
    compute: compute::Args,
}

impl Args {
    /// Starts the thread pool and opens the model, with the data directory of the run. Prints the notes on its images.
    pub(crate) fn open(&self) -> Result<Trained> {
        let experiment = Trained::experiment_of(&self.path)?;
        if !self.path.is_dir() {
            match Checkpoint::<serde_json::Value>::read(&self.path) {
                Ok(_) => bail!(
                    "{} is a checkpoint, not weights of a finished run; resume it with `nclt train --resume {}`",
                    self.path.display(),
                    shell_word(&output::directory_of(&self.path).to_string_lossy())
                ),
                Err(error @ Error::Version { .. }) => return Err(error.into()),
                Err(_) => {}
            }
        }
        let directory = if self.path.is_dir() { &self.path } else { &output::directory_of(&self.path) };
        let options = self.compute.start(experiment.data.source, Some(directory))?;
        let trained = threads::install(|| Trained::open(&self.path, &options))?;
        for note in trained.notes() {
            say(&format!("warning: {note}"));
        }
        Ok(trained)
    }
}
