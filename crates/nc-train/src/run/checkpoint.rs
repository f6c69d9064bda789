//! Checkpoints and detection of non-finite values.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use candle_core::Tensor;
use nc_record::{Array, Checkpoint, EpochLosses};

use super::{progress::State, train::Run};
use crate::{
    CheckpointEvery, Error, Result, Step,
    divergence::{Diverged, NotFinite},
};

impl Run<'_> {
    /// Writes a checkpoint after a step if one is due, and stops on request. Checks for non-finite values before each
    /// checkpoint and, at `end_of_epoch`, before the evaluation.
    pub(super) fn between_steps(
        &mut self,
        step: &Step<'_>,
        losses: EpochLosses,
        end_of_epoch: bool,
    ) -> Result<()> {
        let State { phase, epoch, .. } = self.state;
        let phases = &self.experiment.phases;
        // A run interrupted during its final evaluation has weights but no result; it resumes from this checkpoint.
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
        let tensors = self.tensors()?;
        if let Some(name) = not_finite(&tensors) {
            return Err(self.diverged(step, losses, NotFinite::Value(name)));
        }
        if !stop && !due {
            return Ok(());
        }
        let checkpoint = self.write(tensors)?;
        if stop {
            let State { epoch, step: done, .. } = self.state;
            return Err(Error::Stopped { phase: step.phase.to_owned(), epoch, step: done, checkpoint });
        }
        Ok(())
    }

    /// Writes a checkpoint.
    pub(super) fn write_checkpoint(&mut self) -> Result<PathBuf> {
        let tensors = self.tensors()?;
        self.write(tensors)
    }

    /// All tensors that a step changes, by name.
    fn tensors(&self) -> Result<BTreeMap<String, Array>> {
        let tensors = self.learner.state()?;
        tensors.iter().map(|(name, tensor)| Ok((name.clone(), array(tensor)?))).collect()
    }

    fn write(&mut self, tensors: BTreeMap<String, Array>) -> Result<PathBuf> {
        self.claim.confirm()?;
        let state = State { seconds: self.seconds(), event_bytes: self.log.sync()?, ..self.state.clone() };
        let checkpoint = self.directory.write_checkpoint(state.steps, &Checkpoint { state, tensors })?;
        self.checkpointed = Instant::now();
        Ok(checkpoint)
    }

    /// The error of a diverged step.
    pub(super) fn diverged(&self, step: &Step<'_>, losses: EpochLosses, cause: NotFinite) -> Error {
        let &Step { phase, epoch, step, learning_rate, .. } = step;
        let (phase, checkpoint) = (phase.to_owned(), self.last_checkpoint());
        Error::Diverged(Box::new(Diverged { phase, epoch, step, learning_rate, losses, cause, checkpoint }))
    }

    fn last_checkpoint(&self) -> Option<PathBuf> {
        self.directory.checkpoints().ok()?.into_iter().next()
    }
}

/// Name of the first of `tensors` with a non-finite value.
fn not_finite(tensors: &BTreeMap<String, Array>) -> Option<String> {
    let all_finite = |array: &Array| array.values.iter().all(|value| value.is_finite());
    tensors.iter().find(|(_, array)| !all_finite(array)).map(|(name, _)| name.clone())
}

/// Copies `tensor` to the host.
fn array(tensor: &Tensor) -> Result<Array> {
    Ok(Array { shape: tensor.dims().to_vec(), values: tensor.flatten_all()?.to_vec1()? })
}
