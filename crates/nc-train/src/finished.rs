//! Runs that were finished earlier: this one, or a shorter one that it begins with.

use std::{
    fs,
    io::ErrorKind,
    path::{self, Path},
};

use nc_models::Model;
use nc_record::{Event, RunDir, Timing};

use crate::{Error, Experiment, Finished, Result, RunResult, resume::State};

/// The result of the run `hash` in `directory`, if it was finished before, with the test images `test_hash`.
pub(crate) fn find(directory: &RunDir, hash: &str, test_hash: &str) -> Result<Option<Finished>> {
    let path = directory.path().join(RunDir::RESULT);
    let result: RunResult = match RunDir::read_result(directory.path()) {
        Err(nc_record::Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
        result => result?,
    };
    if result.run_hash != hash {
        return Err(Error::OtherRun { path, expected: hash.to_owned(), found: result.run_hash });
    }
    if result.data.test_hash != test_hash {
        return Err(other_images(directory.path(), test_hash, &result.data.test_hash));
    }
    directory.remove_checkpoints()?;
    Ok(Some(Finished { result, directory: directory.path().to_owned(), earlier: true }))
}

/// Checks that the run in `directory`, which logged `events`, was begun with the test images `test_hash`: accuracies of
/// different images must not stand in one log.
pub(crate) fn check_test_images(events: &[Event], test_hash: &str, directory: &Path) -> Result<()> {
    let other = events.iter().find_map(|event| match event {
        Event::RunStarted { test_hash: begun_with, .. } => Some(begun_with).filter(|hash| *hash != test_hash),
        _ => None,
    });
    other.map_or(Ok(()), |begun_with| Err(other_images(directory, test_hash, begun_with)))
}

fn other_images(directory: &Path, expected: &str, found: &str) -> Error {
    let path = directory.to_owned();
    Error::OtherTestImages { path, expected: expected.to_owned(), found: found.to_owned() }
}

/// A finished run of an experiment's first phases, whose end is where the experiment goes on.
pub(crate) struct Beginning {
    /// How many phases it had.
    pub(crate) phases: usize,
    /// Its weights of the epoch chosen by validation, if it has any.
    pub(crate) selected_weights: Option<Vec<u8>>,
    /// Its events, without the first and the last.
    pub(crate) events: Vec<Event>,
    result: RunResult,
}

impl Beginning {
    /// The longest that lies beside `directory` and was tested on the images `test_hash`; its weights are put into `model`.
    /// One that cannot be read is none.
    pub(crate) fn find(
        directory: &Path,
        experiment: &Experiment,
        test_hash: &str,
        model: &Model,
        hash: impl Fn(&Experiment) -> Result<String>,
    ) -> Result<Option<Self>> {
        let mut shorter = experiment.shorter();
        while let Some(beginning) = shorter {
            // What was chosen was chosen of its classifier, which is another where that is adjusted.
            let keep_chosen = experiment.post_hoc.is_none();
            let (hash, phases) = (hash(&beginning)?, beginning.phases.len());
            let found = Self::read(directory, &hash, phases, test_hash, keep_chosen, model);
            if found.is_some() {
                return Ok(found);
            }
            shorter = beginning.shorter();
        }
        Ok(None)
    }

    fn read(
        directory: &Path,
        hash: &str,
        phases: usize,
        test_hash: &str,
        keep_chosen: bool,
        model: &Model,
    ) -> Option<Self> {
        let ending = format!("-{}", &hash[..8]);
        let candidates = fs::read_dir(path::absolute(directory).ok()?.parent()?)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()));
        let mut candidates: Vec<_> =
            candidates.filter(|path| path.display().to_string().ends_with(&ending)).collect();
        candidates.sort();
        candidates.into_iter().find_map(|path| {
            let mut result: RunResult = RunDir::read_result(&path).ok()?;
            if result.run_hash != hash || result.data.test_hash != test_hash {
                return None;
            }
            if !keep_chosen {
                (result.best_epoch, result.selected_epoch) = (None, None);
            }
            let mut events = RunDir::read_events(&path).ok()?;
            events.retain(|event| !matches!(event, Event::RunStarted { .. } | Event::RunFinished { .. }));
            let selected_weights = match result.selected_epoch {
                Some(_) => Some(fs::read(path.join(RunDir::SELECTED_WEIGHTS)).ok()?),
                None => None,
            };
            // Last, since the model keeps them.
            model.params().load_safetensors(&fs::read(path.join(RunDir::WEIGHTS)).ok()?).ok()?;
            Some(Self { phases, selected_weights, events, result })
        })
    }

    /// Where a run stands that has come so far.
    pub(crate) fn state(&self, run_hash: String) -> State {
        let mut state = State {
            run_hash,
            phase: self.phases,
            best: self.result.best_epoch.clone(),
            selected: self.result.selected_epoch.clone(),
            seconds: self.result.timing.seconds,
            ..State::default()
        };
        let mut steps_per_epoch = 0;
        for event in &self.events {
            match event {
                Event::PhaseStarted { steps_per_epoch: steps, .. } => steps_per_epoch = *steps,
                Event::EpochFinished { timing: Timing { seconds, images_per_second }, .. } => {
                    state.steps += steps_per_epoch as u64;
                    state.training_seconds += seconds;
                    state.training_images += (seconds * images_per_second).round() as usize;
                }
                _ => {}
            }
        }
        state
    }
}
