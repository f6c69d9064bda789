//! Arguments that name a trained model.

use std::path::{Path, PathBuf};

use anyhow::Result;
use nc_train::{RunOptions, Trained};

use crate::compute;

#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// A run's directory, or a file of weights beside the run's config.toml.
    #[arg(value_name = "CHECKPOINT")]
    path: PathBuf,
    #[command(flatten)]
    compute: compute::Args,
}

impl Args {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts the threads and opens the device, for the checkpoint's data.
    pub(crate) fn start(&self) -> Result<RunOptions> {
        self.compute.start(Trained::experiment_of(&self.path)?.data.source)
    }
}
