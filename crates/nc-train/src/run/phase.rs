//! One phase of training.

use std::time::Instant;

use nc_models::gpu;
use nc_record::{Event, RunDir};

use super::{start::Tensors, train::Run};
use crate::{
    Result, Step,
    config::{FrozenBatchNorm, Keep, Phase},
    inference::Inference,
    samples::training_samples,
    stable_rate::StableRate,
};

/// The elements, each with the seconds spent waiting for it.
fn timed<T>(mut elements: impl Iterator<Item = T>) -> impl Iterator<Item = (T, f64)> {
    std::iter::from_fn(move || {
        let asked = Instant::now();
        elements.next().map(|element| (element, asked.elapsed().as_secs_f64()))
    })
}

impl Run<'_> {
    /// Runs phase `index` from its start, or from the checkpoint `resumed`.
    pub(super) fn run_phase(&mut self, index: usize, resumed: Option<Tensors>) -> Result<()> {
        let phase = &self.experiment.phases[index];
        // A separate random stream per phase. Phase 1 of seed 0 shares its stream with phase 0 of seed 2^32; the next
        // format version will give the phase its own key field.
        let seed = self.experiment.seed.wrapping_add((index as u64) << 32);
        let loader = self.data.training(phase, seed, self.options.loader_threads, &self.options.device)?;
        if let Some(tensors) = resumed {
            let state = tensors.on(&self.options.device)?;
            self.learner.resume_phase(phase, state, &tensors.path)?;
        } else {
            self.learner.begin_phase(phase)?;
            if !self.directory.path().join(RunDir::SAMPLES).exists() {
                let samples = training_samples(&loader, &self.data.train)?;
                self.directory.write_json(RunDir::SAMPLES, &samples)?;
            }
            self.state.begin_phase(index);
            if self.experiment.evaluation.keep == Keep::Best {
                // Each phase keeps its own best epoch.
                self.state.selected = None;
            }
            if phase.batch_norm == FrozenBatchNorm::ReEstimated {
                for batch in loader.epoch_from(0, 0) {
                    self.learner.update_statistics(&batch?)?;
                }
            }
            self.limit_learning_rate(phase)?;
            self.record(&Event::PhaseStarted {
                phase: phase.name.clone(),
                epochs: phase.epochs,
                steps_per_epoch: loader.batches_per_epoch(),
            })?;
            if index > 0 && self.experiment.evaluation.keep == Keep::Best {
                // This phase overwrites the selected weights, which the phase before needs to resume.
                self.write_checkpoint()?;
            }
        }
        while self.state.epoch < phase.epochs && !self.stops_early(phase) {
            let epoch = self.state.epoch;
            let mut clock = Instant::now();
            let base = self.state.learning_rate.unwrap_or(phase.optimizer.learning_rate());
            let learning_rate = base * phase.schedule.factor(epoch, phase.epochs);
            let (data, options) = (&self.data, self.options);
            self.learner.begin_epoch(epoch, seed, &|network, space| {
                Inference { network, data, options, adjusted: false, replacement: None }.branch_means(space)
            })?;
            for (batch, waited) in timed(loader.epoch_from(epoch, self.state.step)) {
                let batch = batch?;
                let outcome = self.learner.step(&batch, learning_rate)?;
                let images = batch.first().labels.len();
                let step = Step {
                    phase: &phase.name,
                    epoch,
                    step: self.state.step,
                    images,
                    loss: outcome.losses.total,
                    learning_rate,
                    seconds: clock.elapsed().as_secs_f64(),
                    waited,
                };
                if let Some(cause) = outcome.not_finite() {
                    return Err(self.diverged(&step, outcome.losses, cause));
                }
                self.state.end_step(&outcome.losses, images, &mut clock);
                self.observer.step(&step);
                self.note(gpu::unsupported_layers());
                let end_of_epoch = self.state.step == loader.batches_per_epoch();
                self.between_steps(&step, outcome.losses, end_of_epoch)?;
            }
            let (losses, timing) = self.state.end_epoch();
            let weights = phase.objective.reweighting.weights(epoch, self.data.train.class_counts());
            self.record(&Event::EpochFinished {
                phase: phase.name.clone(),
                epoch,
                learning_rate,
                class_weights: weights.is_some(),
                losses,
                timing,
            })?;
            self.validation_pass(phase, epoch)?;
        }
        if self.state.epoch < phase.epochs && !self.state.stopped.contains_key(&index) {
            self.note_early_stop(index);
            // The final evaluation starts from a checkpoint, like that of a phase which trains every epoch.
            self.write_checkpoint()?;
        }
        let ends_run = index + 1 == self.experiment.phases.len();
        if ends_run && self.experiment.post_hoc.is_none() {
            self.save_average()?;
        }
        self.learner.end_phase()?;
        self.restore_best(phase)
    }

    /// Displays a note, and keeps it for the result.
    fn note(&mut self, note: Option<String>) {
        if let Some(note) = note.filter(|note| !self.state.notes.contains(note)) {
            self.observer.note(&note);
            self.state.notes.push(note);
        }
    }

    /// Notes that phase `index` ends now, before its last epoch.
    fn note_early_stop(&mut self, index: usize) {
        let (phase, epoch) = (&self.experiment.phases[index], self.state.epoch);
        let patience = self.experiment.evaluation.patience.unwrap_or(0);
        let note = format!(
            "{} stopped after epoch {epoch} of {}: validation did not improve for {patience} epochs",
            phase.name, phase.epochs
        );
        self.note(Some(note));
        self.state.stopped.insert(index, epoch);
    }

    /// Lowers a learning rate that is unstable on the features of a frozen backbone, and notes it.
    fn limit_learning_rate(&mut self, phase: &Phase) -> Result<()> {
        if !phase.limit_learning_rate {
            return Ok(());
        }
        if let Some(stable) = StableRate::below(phase, self.experiment, &self.inference()?)? {
            self.state.learning_rate = Some(stable.learning_rate);
            self.note(Some(stable.note(phase)));
        }
        Ok(())
    }
}
