//! Training from trained weights in place of a random initialisation.

use std::path::{Path, PathBuf};

use candle_core::Device;
use nc_models::{ParamStore, Pretrained};
use nc_record::{InputSpec, RunDir};

use crate::{
    Error, Result,
    config::{Experiment, Trains},
    digest::sha256,
    network::FEATURE_NORM,
};

/// A weights file to start from.
pub(crate) struct Init {
    path: PathBuf,
    bytes: Vec<u8>,
    /// SHA-256 of the file, in hexadecimal.
    pub(crate) sha256: String,
}

/// SHA-256 in hexadecimal of a weights file, or of that of a run directory: `model.init_sha256` of the runs that start from it.
///
/// # Errors
///
/// [`Error::Read`] if the file cannot be read.
pub fn weights_sha256(path: &Path) -> Result<String> {
    Ok(Init::open(path)?.sha256)
}

impl Init {
    fn open(path: &Path) -> Result<Self> {
        let path = if path.is_dir() { path.join(RunDir::WEIGHTS) } else { path.to_owned() };
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Self { sha256: sha256(&bytes), path, bytes }),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    /// Reads a weights file, or that of a run directory.
    ///
    /// # Errors
    ///
    /// [`Error::Read`]; [`Error::OtherInit`] if the experiment starts from another file.
    pub(crate) fn read(path: &Path, experiment: &Experiment) -> Result<Self> {
        let Self { path, bytes, sha256: found } = Self::open(path)?;
        match &experiment.model.init_sha256 {
            Some(expected) if *expected != found => {
                Err(Error::OtherInit { path, expected: expected.clone(), found })
            }
            _ => Ok(Self { path, bytes, sha256: found }),
        }
    }

    /// Loads the weights into a network of `experiment` for images of `classes`; returns notes on what was loaded and what was
    /// not.
    ///
    /// # Errors
    ///
    /// [`Error::Weights`] for a file of another format or another backbone.
    pub(crate) fn load(
        &self,
        params: &ParamStore,
        experiment: &Experiment,
        classes: &[String],
    ) -> Result<Vec<String>> {
        let unfit = |source| Error::Weights { path: self.path.clone(), source: Box::new(source) };
        let damaged = |error: String| unfit(nc_models::Error::Weights(error));
        let tensors = candle_core::safetensors::load_buffer(&self.bytes, &Device::Cpu)
            .map_err(|error| damaged(format!("expected a safetensors file: {error}")))?;
        let input = InputSpec::of_weights(&self.bytes).map_err(damaged)?;
        let other_classes = input.as_ref().filter(|input| input.classes != classes);
        let is_new = experiment.phases.first().is_some_and(|phase| phase.trains == Trains::NewClassifier);
        let other_head = other_classes
            .map(|input| format!("the file's classifier has other classes: {}", a_few(&input.classes)))
            .or_else(|| is_new.then(|| "the first phase trains a new one".to_owned()));
        let loaded = params.load_pretrained(tensors, &[FEATURE_NORM], other_head).map_err(unfit)?;
        Ok(self.notes(&loaded))
    }

    fn notes(&self, loaded: &Pretrained) -> Vec<String> {
        let name = self.path.file_name().unwrap_or(self.path.as_os_str()).to_string_lossy();
        let mut notes = vec![format!("backbone initialised from {name:?}, SHA-256 {}", self.sha256)];
        notes.push(match &loaded.fresh_head {
            None => format!("classifier initialised from {name:?}"),
            Some(reason) => format!("classifier not initialised from {name:?}, because {reason}"),
        });
        if let Some(name) = &loaded.summed {
            notes.push(format!(
                "{name:?} summed over the three input channels of the file, because the images are grey"
            ));
        }
        if !loaded.absent.is_empty() {
            notes.push(format!("not in {name:?} and initialised as usual: {}", a_few(&loaded.absent)));
        }
        if !loaded.unused.is_empty() {
            notes.push(format!("unused tensors of {name:?}: {}", a_few(&loaded.unused)));
        }
        notes
    }
}

/// A note if the first phase freezes a backbone that has its random initialisation.
pub(crate) fn frozen_at_random(experiment: &Experiment) -> Option<String> {
    let first = experiment.phases.first()?;
    let is_random = experiment.model.init_sha256.is_none() && first.trains != Trains::Everything;
    is_random.then(|| {
        format!(
            "phases.{}.trains: the first phase freezes a backbone of random weights; start from trained ones with \
             --init-from FILE",
            first.name
        )
    })
}

/// The first names, and the number of the others.
fn a_few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
