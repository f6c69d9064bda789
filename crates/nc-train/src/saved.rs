//! Files of a finished run: configuration, weights and result.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use nc_models::Network;
use nc_record::{InputSpec, RunDir};

use crate::{
    Error, Result, RunResult,
    config::{Settings, ValidExperiment},
    digest::sha256,
};

/// The weights of a run with its configuration and result.
pub(crate) struct Saved {
    pub(crate) experiment: ValidExperiment,
    /// The weights file.
    path: PathBuf,
    weights: Vec<u8>,
    /// None if the run is not finished.
    pub(crate) result: Option<RunResult>,
    /// None in runs of earlier versions.
    pub(crate) input: Option<InputSpec>,
}

impl Saved {
    /// Reads `checkpoint`: a run directory, or a weights file next to the run's `config.toml`.
    ///
    /// # Errors
    ///
    /// Those of reading the files; [`Error::ConfigChanged`] and [`Error::WeightsChanged`] for files that changed since the
    /// run finished.
    pub(crate) fn read(checkpoint: &Path) -> Result<Self> {
        let experiment = experiment_of(checkpoint)?;
        let run = checkpoint.is_dir();
        let path = if run { checkpoint.join(RunDir::WEIGHTS) } else { checkpoint.to_owned() };
        let weights = std::fs::read(&path).map_err(|source| match source.kind() {
            ErrorKind::NotFound if run && checkpoint.join(RunDir::RESULT).exists() => {
                Error::WeightsGone { run: checkpoint.to_owned() }
            }
            ErrorKind::NotFound if run => Error::NoWeights { run: checkpoint.to_owned() },
            _ => Error::Read { path: path.clone(), source },
        })?;
        let result = result_of(&directory_of(checkpoint))?;
        if let Some(result) = &result {
            check_unchanged(checkpoint, &experiment, &weights, result)?;
        }
        let damaged = |reason| nc_record::Error::Damaged { path: path.clone(), reason };
        let input = InputSpec::of_weights(&weights).map_err(damaged)?;
        let of_run = result.as_ref().and_then(|result| result.input.clone());
        if input.is_some() && of_run.is_some() && input != of_run {
            return Err(damaged("its metadata `input` differs from that of result.json".into()).into());
        }
        let input = input.or(of_run);
        input.as_ref().map_or(Ok(()), InputSpec::check).map_err(damaged)?;
        Ok(Self { experiment, path, weights, result, input })
    }

    /// The run's directory.
    pub(crate) fn directory(&self) -> PathBuf {
        directory_of(&self.path)
    }

    /// Loads the weights into the parameters of `network`.
    pub(crate) fn load_into(&self, network: &dyn Network) -> Result<()> {
        network
            .params()
            .load_safetensors(&self.weights)
            .map_err(|source| Error::Weights { path: self.path.clone(), source: Box::new(source) })
    }
}

/// The experiment of `checkpoint`, given as for [`Saved::read`].
pub(crate) fn experiment_of(checkpoint: &Path) -> Result<ValidExperiment> {
    let config = directory_of(checkpoint).join(RunDir::CONFIG);
    if !checkpoint.exists() || !config.exists() {
        return Err(Error::NotARun { path: checkpoint.to_owned() });
    }
    Settings { config: Some(&config), ..Settings::default() }.resolve()
}

/// The result in the run directory; `None` if the run is not finished.
fn result_of(directory: &Path) -> Result<Option<RunResult>> {
    if !directory.join(RunDir::RESULT).exists() {
        return Ok(None);
    }
    Ok(Some(RunDir::read_result(directory)?))
}

/// The run's directory.
fn directory_of(checkpoint: &Path) -> PathBuf {
    let directory = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
    directory.map_or_else(PathBuf::new, Path::to_owned)
}

/// Checks configuration and weights of a finished run against its result. Weights files under names other than the run's do not
/// belong to the result.
fn check_unchanged(
    checkpoint: &Path,
    experiment: &ValidExperiment,
    weights: &[u8],
    result: &RunResult,
) -> Result<()> {
    let found = experiment.hash(&result.data.train_hash)?;
    if found != result.run_hash {
        let path = directory_of(checkpoint).join(RunDir::CONFIG);
        return Err(Error::ConfigChanged { path, expected: result.run_hash.clone(), found });
    }
    let name = if checkpoint.is_dir() { Some(RunDir::WEIGHTS.as_ref()) } else { checkpoint.file_name() };
    let written = match name.and_then(|name| name.to_str()) {
        Some(RunDir::WEIGHTS) => result.weights_sha256.as_ref(),
        Some(RunDir::SELECTED_WEIGHTS) => {
            result.selected_epoch.as_ref().and_then(|selected| selected.weights_sha256.as_ref())
        }
        _ => None,
    };
    if let (Some(name), Some(written)) = (name, written)
        && *written != sha256(weights)
    {
        return Err(Error::WeightsChanged { path: directory_of(checkpoint).join(name) });
    }
    Ok(())
}
