//! The directory of a run.

use std::path::{Path, PathBuf};

use nc_record::RunDir;

use crate::{Result, RunOptions, config::Experiment};

/// Stores the directory of the images, for commands that open the run later.
pub(super) fn remember_images(directory: &RunDir, options: &RunOptions) -> Result<()> {
    let Some(data_dir) = &options.data_dir else { return Ok(()) };
    let absolute = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.clone());
    directory.write(RunDir::DATA_DIR, absolute.to_string_lossy().as_bytes())?;
    Ok(())
}

/// The directory in `out` of the run of `experiment` with this `hash`: `NAME-seedN-HASH`, with 8 digits of the hash.
pub fn run_directory(out: &Path, experiment: &Experiment, hash: &str) -> PathBuf {
    let name = experiment.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_', "-");
    out.join(format!("{name}-seed{}-{}", experiment.seed, &hash[..8]))
}
