//! The decision how a run starts, before anything is written.

use std::{
    collections::BTreeMap,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use candle_core::{Device, Tensor};
use nc_record::{Array, Checkpoint, Event, RunDir};

use super::{continuation::Continuation, progress::State, request::Request, result::RunResult};
use crate::{Error, Result};

/// How a run starts.
pub(super) enum Start {
    /// From the beginning.
    Fresh,
    /// From the end of a finished run of its first phases.
    Continued(Box<Continuation>),
    /// From its own checkpoint.
    Interrupted(Box<Interrupted>),
    /// Not at all, because it has a result.
    Finished(Box<RunResult>),
}

/// An interrupted run at its newest valid checkpoint.
pub(super) struct Interrupted {
    pub(super) state: State,
    pub(super) tensors: Tensors,
    /// Its events up to the checkpoint.
    pub(super) events: Vec<Event>,
}

/// The tensors of a checkpoint.
pub(super) struct Tensors {
    /// The checkpoint.
    pub(super) path: PathBuf,
    arrays: BTreeMap<String, Array>,
}

impl Tensors {
    /// The tensors on `device`, by name.
    pub(super) fn on(&self, device: &Device) -> Result<BTreeMap<String, Tensor>> {
        let tensor = |(name, Array { shape, values }): (&String, &Array)| {
            Ok((name.clone(), Tensor::from_slice(values, shape.as_slice(), device)?))
        };
        self.arrays.iter().map(tensor).collect()
    }
}

impl Start {
    /// Decides how the run in `request.directory` starts. Reports checkpoints that are damaged or lack their events to
    /// `skipped`.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRun`] and [`Error::OtherTestImages`] if the directory belongs to another run or other images;
    /// [`Error::WeightsAlone`] for weights of unknown origin; [`nc_record::Error::Version`] for files of another
    /// format; [`nc_record::Error::Io`] for existing files that are temporarily unreadable.
    pub(super) fn decide(request: &Request<'_>, skipped: &mut dyn FnMut(&nc_record::Error)) -> Result<Self> {
        if request.fresh {
            return Ok(Self::Fresh);
        }
        if let Some(result) = request.finished()? {
            return Ok(Self::Finished(Box::new(result)));
        }
        if let Some(interrupted) = request.interrupted(skipped)? {
            return Ok(Self::Interrupted(Box::new(interrupted)));
        }
        let continuation = Continuation::find(request)?;
        request.refuse_unknown_weights(continuation.as_ref())?;
        Ok(continuation.map_or(Self::Fresh, |continuation| Self::Continued(Box::new(continuation))))
    }

    /// Refuses class names other than those that a finished or interrupted run in `directory` recorded. They are not part of
    /// its hash.
    pub(super) fn check_classes(&self, names: &[String], directory: &Path) -> Result<()> {
        let recorded = match self {
            Self::Finished(result) => result.input.as_ref().map(|input| &input.classes),
            Self::Interrupted(interrupted) => interrupted.events.iter().find_map(|event| match event {
                Event::RunStarted { class_names, .. } => Some(class_names),
                _ => None,
            }),
            Self::Fresh | Self::Continued(_) => None,
        };
        match recorded.filter(|recorded| !recorded.is_empty() && *recorded != names) {
            None => Ok(()),
            Some(recorded) => {
                let (directory, names, recorded) =
                    (directory.display(), names.join(", "), recorded.join(", "));
                let reason = format!(
                    "classes {names}, but the run in {directory} has {recorded}; --fresh trains it again"
                );
                Err(Error::OtherImages { reason })
            }
        }
    }
}

impl Request<'_> {
    fn finished(&self) -> Result<Option<RunResult>> {
        let result: RunResult = match RunDir::read_result(self.directory.path()) {
            Err(nc_record::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                return Ok(None);
            }
            result => result?,
        };
        if result.run_hash != self.hash {
            let path = self.directory.path().join(RunDir::RESULT);
            return Err(self.other_run(path, result.run_hash));
        }
        self.check_test_images(&result.data.test_hash)?;
        Ok(Some(result))
    }

    fn interrupted(&self, skipped: &mut dyn FnMut(&nc_record::Error)) -> Result<Option<Interrupted>> {
        for path in self.directory.checkpoints()? {
            let read = || -> Result<Interrupted> {
                let Checkpoint { state, tensors: arrays } = Checkpoint::<State>::read(&path)?;
                if state.run_hash != self.hash {
                    return Err(self.other_run(path.clone(), state.run_hash));
                }
                let events = self.directory.read_events_until(state.event_bytes)?;
                Ok(Interrupted { state, tensors: Tensors { path: path.clone(), arrays }, events })
            };
            match read() {
                Ok(interrupted) => {
                    let (phase, phases) = (interrupted.state.phase, self.experiment.phases.len());
                    if phase >= phases {
                        let reason = format!("expected a phase index below {phases}, found {phase}");
                        return Err(nc_record::Error::Damaged { path, reason }.into());
                    }
                    for event in &interrupted.events {
                        if let Event::RunStarted { test_hash, .. } = event {
                            self.check_test_images(test_hash)?;
                        }
                    }
                    return Ok(Some(interrupted));
                }
                Err(Error::Record(error)) if is_lost(&error) => skipped(&error),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Rejects weights without a checkpoint, which every unfinished run keeps. The exception is a run that trains
    /// nothing and only adjusts another: its event log shows that the weights are its own, and it is repeated.
    fn refuse_unknown_weights(&self, continuation: Option<&Continuation>) -> Result<()> {
        let weights = self.directory.path().join(RunDir::WEIGHTS);
        let trains = continuation.is_none_or(|shorter| shorter.phases < self.experiment.phases.len());
        let is_own = !trains && self.directory.path().join(RunDir::EVENTS).exists();
        if weights.exists() && !is_own && self.directory.checkpoints()?.is_empty() {
            return Err(Error::WeightsAlone { weights });
        }
        Ok(())
    }

    /// Rejects changed test images, because one log must not mix accuracies on different images.
    fn check_test_images(&self, found: &str) -> Result<()> {
        if found == self.test_hash {
            return Ok(());
        }
        Err(Error::OtherTestImages {
            path: self.directory.path().to_owned(),
            expected: self.test_hash.to_owned(),
            found: found.to_owned(),
        })
    }

    fn other_run(&self, path: PathBuf, found: String) -> Error {
        Error::OtherRun { path, expected: self.hash.to_owned(), found }
    }
}

/// True if the file is permanently lost (missing or damaged) rather than temporarily unreadable.
fn is_lost(error: &nc_record::Error) -> bool {
    match error {
        nc_record::Error::Damaged { .. } | nc_record::Error::Malformed { .. } => true,
        nc_record::Error::Io { source, .. } => source.kind() == ErrorKind::NotFound,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
