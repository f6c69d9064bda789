//! Arguments that name a trained model.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use nc_kernels::{gpu, threads};
use nc_record::{Checkpoint, Error, shell_word};
use nc_train::Trained;

use crate::{compute, loading::Loading, output, terminal::say};

/// The path of a trained model.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Model {
    /// Directory of a finished run, or a weights file in it.
    #[arg(value_name = "RUN")]
    path: PathBuf,
}

impl Model {
    /// The path, unless it is a checkpoint.
    pub(crate) fn path(&self) -> Result<&Path> {
        if self.path.is_file() {
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
        Ok(&self.path)
    }
}

/// A trained model with its images.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    compute: compute::Args,
}

/// Names the layers that ran on the CPU in spite of `--device cuda`.
pub(crate) fn say_unsupported_layers() {
    if let Some(note) = gpu::unsupported_layers() {
        say(&format!("note: {note}"));
    }
}

impl Args {
    /// Starts the thread pool and opens the model, with the data directory of the run. Prints the notes on its images.
    pub(crate) fn open(&self) -> Result<Trained> {
        let experiment = Trained::experiment_of(&self.model.path)?;
        let path = self.model.path()?;
        let directory = if path.is_dir() { path } else { &output::directory_of(path) };
        let options = self.compute.start(experiment.data.source, Some(directory))?;
        let progress = &mut Loading::default();
        let trained = threads::install(|| Trained::open_with_progress(path, &options, progress))?;
        for note in trained.notes() {
            say(&format!("warning: {note}"));
        }
        Ok(trained)
    }
}
