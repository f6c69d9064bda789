use std::{collections::BTreeMap, fs, path};

use nc_record::{Event, RunDir, Timing};

use super::{progress::State, request::Request, result::RunResult};
use crate::{Result, config::Experiment, digest::sha256};

/// A finished run of an experiment's first phases, which the experiment continues.
pub(super) struct Continuation {
    /// Number of its phases.
    pub(super) phases: usize,
    /// Weights of the epoch selected by validation, if any.
    pub(super) selected_weights: Option<Vec<u8>>,
    /// Its events without `RunStarted` and `RunFinished`.
    pub(super) events: Vec<Event>,
    result: RunResult,
}

impl Continuation {
    /// Finds the longest finished run of the experiment's first phases next to the directory of `request`, tested on
    /// the same images, and loads its weights. Skips unreadable runs.
    pub(super) fn find(request: &Request<'_>) -> Result<Option<Self>> {
        let mut shorter = request.experiment.shorter();
        while let Some(experiment) = shorter {
            let hash = (request.hash_of)(&experiment)?;
            let found = Self::read(request, &hash, experiment.phases.len());
            if found.is_some() {
                return Ok(found);
            }
            shorter = experiment.shorter();
        }
        Ok(None)
    }

    fn read(request: &Request<'_>, hash: &str, phases: usize) -> Option<Self> {
        let ending = format!("-{}", &hash[..8]);
        let candidates = fs::read_dir(path::absolute(request.directory.path()).ok()?.parent()?)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()));
        let mut candidates: Vec<_> =
            candidates.filter(|path| path.display().to_string().ends_with(&ending)).collect();
        candidates.sort();
        candidates.into_iter().find_map(|path| {
            let mut result: RunResult = RunDir::read_result(&path).ok()?;
            if result.run_hash != hash || result.data.test_hash != request.test_hash {
                return None;
            }
            // No epoch had the adjusted classifier, so none can be best or selected.
            if request.experiment.post_hoc.is_some() {
                (result.best_epoch, result.selected_epoch) = (None, None);
            }
            let mut events = RunDir::read_events(&path).ok()?;
            events.retain(|event| !matches!(event, Event::RunStarted { .. } | Event::RunFinished { .. }));
            // Weights that were altered since are those of no run.
            let read = |name: &str, digest: &Option<String>| {
                let bytes = fs::read(path.join(name)).ok()?;
                digest.as_ref().is_none_or(|digest| *digest == sha256(&bytes)).then_some(bytes)
            };
            let selected_weights = match &result.selected_epoch {
                Some(selected) => Some(read(RunDir::SELECTED_WEIGHTS, &selected.weights_sha256)?),
                None => None,
            };
            // Last, because this changes the network.
            let fits = (request.load)(&read(RunDir::WEIGHTS, &result.weights_sha256)?);
            fits.then_some(Self { phases, selected_weights, events, result })
        })
    }

    /// Trained epochs of each phase that stopped early, by its index.
    fn stopped(&self, experiment: &Experiment) -> BTreeMap<usize, usize> {
        let trained = self.result.epochs.iter().copied().zip(&experiment.phases).enumerate();
        trained
            .filter(|(_, (epochs, phase))| *epochs < phase.epochs)
            .map(|(index, (epochs, _))| (index, epochs))
            .collect()
    }

    /// The state from which a run of `experiment` continues after these phases.
    pub(super) fn state(&self, experiment: &Experiment, run_hash: String) -> State {
        let mut state = State {
            run_hash,
            phase: self.phases,
            best: self.result.best_epoch.clone(),
            selected: self.result.selected_epoch.clone(),
            stopped: self.stopped(experiment),
            notes: self.result.notes.clone(),
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
