//! Checkpoints while a run is under way, and its end when its numbers are no longer finite.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use nc_record::{Array, Checkpoint, EpochLosses};

use crate::{
    CheckpointEvery, Diverged, Error, NotFinite, Result, Sgd, Step,
    criterion::Criterion,
    resume::{State, Tensors},
    run::Run,
};

impl Run<'_> {
    /// After a step: writes a checkpoint if one is due, and stops if that is wanted. At the `end_of_epoch` the model is
    /// going to be looked at, and its numbers must be finite then, too.
    pub(crate) fn between_steps(
        &mut self,
        step: &Step<'_>,
        losses: EpochLosses,
        optimizer: &Sgd,
        criterion: &Criterion,
        end_of_epoch: bool,
    ) -> Result<()> {
        let State { phase, epoch, .. } = self.state;
        let phases = &self.experiment.phases;
        // What follows has weights, and no result for a while: if it is cut off, it goes on from here.
        let last = end_of_epoch && phase + 1 == phases.len() && epoch + 1 == phases[phase].epochs;
        let stop = self.observer.wants_to_stop();
        let due = last
            || match self.options.checkpoint_every {
                CheckpointEvery::Steps(steps) => self.state.steps.is_multiple_of(steps),
                CheckpointEvery::Time(time) => self.checkpointed.elapsed() >= time,
            };
        if !stop && !due && !end_of_epoch {
            return Ok(());
        }
        let tensors = Tensors::arrays(&self.model, optimizer, criterion)?;
        if let Some(name) = not_finite(&tensors) {
            return Err(self.diverged(step, losses, NotFinite::Value(name)));
        }
        if !stop && !due {
            return Ok(());
        }
        self.claim.confirm()?;
        let state = State { seconds: self.seconds(), event_bytes: self.log.sync()?, ..self.state.clone() };
        let checkpoint = self.directory.write_checkpoint(state.steps, &Checkpoint { state, tensors })?;
        self.checkpointed = Instant::now();
        if stop {
            let State { epoch, step: done, .. } = self.state;
            return Err(Error::Stopped { phase: step.phase.to_owned(), epoch, step: done, checkpoint });
        }
        Ok(())
    }

    /// The error of a step that led out of the finite numbers.
    pub(crate) fn diverged(&self, step: &Step<'_>, losses: EpochLosses, cause: NotFinite) -> Error {
        let &Step { phase, epoch, step, learning_rate, .. } = step;
        let (phase, checkpoint) = (phase.to_owned(), self.last_checkpoint());
        Error::Diverged(Box::new(Diverged { phase, epoch, step, learning_rate, losses, cause, checkpoint }))
    }

    fn last_checkpoint(&self) -> Option<PathBuf> {
        self.directory.checkpoints().ok()?.into_iter().next()
    }
}

/// The name of the first of `tensors` that does not hold finite numbers alone.
fn not_finite(tensors: &BTreeMap<String, Array>) -> Option<String> {
    let all_finite = |array: &Array| array.values.iter().all(|value| value.is_finite());
    tensors.iter().find(|(_, array)| !all_finite(array)).map(|(name, _)| name.clone())
}
