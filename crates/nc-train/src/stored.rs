//! Weights of a run, with what is known about them.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Network};
use nc_record::{InputSpec, RunDir};

use crate::{
    Error, Result, RunResult,
    config::{Experiment, ValidExperiment},
    digest::sha256,
    network::build_model,
};

/// A weights file of a run, verified against the run's result.
pub(crate) struct Stored {
    path: PathBuf,
    bytes: Vec<u8>,
    /// Result of the run; none if it is not finished.
    pub(crate) result: Option<RunResult>,
    /// Input format and class names; none for runs of earlier versions.
    pub(crate) input: Option<InputSpec>,
}

impl Stored {
    /// Reads `checkpoint`: a run directory, or a weights file next to the run's `config.toml`.
    pub(crate) fn read(checkpoint: &Path, experiment: &ValidExperiment) -> Result<Self> {
        let run = checkpoint.is_dir();
        let weights = if run { checkpoint.join(RunDir::WEIGHTS) } else { checkpoint.to_owned() };
        let bytes = std::fs::read(&weights).map_err(|source| match source.kind() {
            ErrorKind::NotFound if run && checkpoint.join(RunDir::RESULT).exists() => {
                Error::WeightsGone { run: checkpoint.to_owned() }
            }
            ErrorKind::NotFound if run => Error::NoWeights { run: checkpoint.to_owned() },
            _ => Error::Read { path: weights.clone(), source },
        })?;
        let result = result_of(&directory_of(checkpoint))?;
        if let Some(result) = &result {
            check_unchanged(checkpoint, experiment, &bytes, result)?;
        }
        let damaged = |reason| nc_record::Error::Damaged { path: weights.clone(), reason };
        let input = InputSpec::of_weights(&bytes).map_err(damaged)?;
        let of_run = result.as_ref().and_then(|result| result.input.clone());
        if input.is_some() && of_run.is_some() && input != of_run {
            return Err(damaged("its metadata `input` differs from that of result.json".into()).into());
        }
        let input = input.or(of_run);
        input.as_ref().map_or(Ok(()), InputSpec::check).map_err(damaged)?;
        Ok(Self { path: weights, bytes, result, input })
    }

    /// The network of the run with these weights, for images of `shape`.
    pub(crate) fn network(
        &self,
        experiment: &Experiment,
        shape: ImageShape,
        classes: usize,
        device: &Device,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    ) -> Result<Box<dyn Network>> {
        let network = build_model(experiment, shape, classes, device, build)?;
        let unfit = |source| Error::Weights { path: self.path.clone(), source: Box::new(source) };
        network.params().load_safetensors(&self.bytes).map_err(unfit)?;
        Ok(network)
    }
}

/// The result in the run directory; `None` if the run is not finished.
fn result_of(directory: &Path) -> Result<Option<RunResult>> {
    if !directory.join(RunDir::RESULT).exists() {
        return Ok(None);
    }
    Ok(Some(RunDir::read_result(directory)?))
}

/// The run's directory.
pub(crate) fn directory_of(checkpoint: &Path) -> PathBuf {
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
    let found = experiment.hash(&result.data.hash())?;
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
        Some(RunDir::AVERAGED_WEIGHTS) => {
            result.weight_average.as_ref().map(|average| &average.weights_sha256)
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
