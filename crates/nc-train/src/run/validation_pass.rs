//! Evaluation between epochs.

use std::time::Instant;

use nc_data::Subset;
use nc_record::{
    AverageAccuracy, AveragedWeights, BestEpoch, Event, RunDir, SelectedEpoch, ShotAccuracy, Timing, figures,
};

use super::{progress::timing, train::Run};
use crate::{
    Error, Result,
    config::{Keep, Phase},
    digest::sha256,
    inference::{Inference, Outputs, geometry, shot_accuracy},
};

/// Name in events of the classifier of a phase that trains none.
const NEAREST_CLASS_MEAN: &str = "nearest class mean";

impl Run<'_> {
    /// Evaluates the network and measures neural collapse after `epoch` of `phase`, if due.
    pub(super) fn validation_pass(&mut self, phase: &Phase, epoch: usize) -> Result<()> {
        let last = epoch + 1 == phase.epochs;
        let due = |every: usize| last || (epoch + 1).is_multiple_of(every);
        let evaluate = due(self.experiment.evaluation.every_epochs);
        let measure = match self.options.measure_every {
            None => evaluate,
            Some(0) => false,
            Some(every) => due(every),
        };
        if !evaluate && !measure {
            return Ok(());
        }
        let started = Instant::now();
        if !phase.trains_classifier() {
            return self.nearest_mean_pass(phase, epoch, [evaluate, measure], started);
        }
        let test = self.inference()?.outputs(&self.data.test)?;
        if evaluate {
            self.evaluate(&phase.name, epoch, &test, started)?;
        }
        if measure {
            let train = self.measure(&phase.name, epoch, &test)?;
            let ends_run = last && self.experiment.phases.last().is_some_and(|last| last.name == phase.name);
            self.outputs = ends_run.then_some((train, test));
        }
        Ok(())
    }

    /// [`Run::validation_pass`] in a phase that trains no classifier: the nearest class mean replaces it, and no epoch is
    /// chosen.
    fn nearest_mean_pass(
        &mut self,
        phase: &Phase,
        epoch: usize,
        [evaluate, measure]: [bool; 2],
        started: Instant,
    ) -> Result<()> {
        let train = self.inference()?.outputs(&self.data.train)?;
        let classifier = self.inference()?.nearest_class_mean(&train)?;
        let inference = Inference { replacement: Some(&classifier), ..self.inference()? };
        let test = inference.outputs(&self.data.test)?;
        let validation = match &self.data.validation {
            Some((images, _)) => Some(self.accuracy(&inference.outputs(images)?)?),
            None => None,
        };
        if evaluate {
            let accuracy = self.accuracy(&test)?;
            let classifier = Some(NEAREST_CLASS_MEAN.to_owned());
            self.record(&Event::Evaluated {
                phase: phase.name.clone(),
                epoch,
                test_accuracy: accuracy,
                validation_accuracy: validation,
                classifier,
                average: None,
                timing: self.evaluation_timing(started),
            })?;
        }
        if measure {
            self.record_geometry(&phase.name, epoch, &train, &test, None, started)?;
        }
        Ok(())
    }

    /// Records test and validation accuracy and updates the best epoch. Computing `test` started at `started`.
    fn evaluate(&mut self, phase: &str, epoch: usize, test: &Outputs, started: Instant) -> Result<()> {
        let accuracy = self.accuracy(test)?;
        let validation = self
            .data
            .validation
            .as_ref()
            .map(|(validation, _)| self.inference()?.outputs(validation))
            .transpose()?;
        let validation_accuracy = validation.as_ref().map(|outputs| self.accuracy(outputs)).transpose()?;
        // No epoch has the adjusted classifier of the end, but one may decide the weights that are adjusted.
        let decides = self.experiment.evaluation.decided_by_validation().is_some();
        if decides || self.experiment.post_hoc.is_none() {
            self.choose(phase, epoch, accuracy, validation_accuracy)?;
        }
        self.state.average = self.average_accuracy()?;
        self.record(&Event::Evaluated {
            phase: phase.to_owned(),
            epoch,
            test_accuracy: accuracy,
            validation_accuracy,
            classifier: None,
            average: self.state.average.map(Box::new),
            timing: self.evaluation_timing(started),
        })
    }

    /// Timing of an evaluation of the weights and, if there is one, of their average.
    fn evaluation_timing(&self, started: Instant) -> Timing {
        let images =
            self.data.test.len() + self.data.validation.as_ref().map_or(0, |(subset, _)| subset.len());
        let networks = 1 + usize::from(self.state.average.is_some());
        timing(started.elapsed().as_secs_f64(), networks * images)
    }

    /// Accuracy of the moving average of the weights, if there is one.
    fn average_accuracy(&self) -> Result<Option<AverageAccuracy>> {
        self.learner.with_average(|network| {
            let inference = Inference { network, ..self.inference()? };
            let accuracy = |images: &Subset| self.accuracy(&inference.outputs(images)?);
            let validation = self.data.validation.as_ref().map(|(images, _)| accuracy(images));
            Ok(AverageAccuracy {
                test_accuracy: accuracy(&self.data.test)?,
                validation_accuracy: validation.transpose()?,
            })
        })
    }

    /// Saves the moving average of the weights, if there is one.
    pub(super) fn save_average(&mut self) -> Result<()> {
        let written =
            self.learner.with_average(|network| self.write_weights_of(network, RunDir::AVERAGED_WEIGHTS))?;
        if let (Some(weights_sha256), Some(accuracy)) = (written, self.state.average) {
            self.average = Some(AveragedWeights { accuracy, weights_sha256 });
        }
        Ok(())
    }

    /// Updates the best epoch by test accuracy and the selected epoch, with its weights, by the validation measure.
    fn choose(
        &mut self,
        phase: &str,
        epoch: usize,
        accuracy: ShotAccuracy,
        validation_accuracy: Option<ShotAccuracy>,
    ) -> Result<()> {
        if self.state.best.as_ref().is_none_or(|so_far| accuracy.all > so_far.accuracy.all) {
            self.state.best = Some(BestEpoch { phase: phase.to_owned(), epoch, accuracy });
        }
        let (Some(validation_accuracy), Some((_, chosen_by))) = (validation_accuracy, &self.data.validation)
        else {
            return Ok(());
        };
        let measure =
            |accuracy: &ShotAccuracy| chosen_by.of(accuracy.all, accuracy.balanced.unwrap_or(accuracy.all));
        let now = measure(&validation_accuracy);
        if self.state.best_of_phase.is_none_or(|(_, so_far)| now > so_far) {
            self.state.best_of_phase = Some((epoch, now));
        }
        let so_far = self.state.selected.as_ref().map(|selected| measure(&selected.validation_accuracy));
        if so_far.is_none_or(|so_far| now > so_far) {
            let weights_sha256 = Some(self.write_weights(RunDir::SELECTED_WEIGHTS)?);
            let (phase, test_accuracy) = (phase.to_owned(), accuracy);
            self.state.selected = Some(SelectedEpoch {
                phase,
                epoch,
                validation_accuracy,
                test_accuracy,
                weights_sha256,
                kept: false,
            });
        }
        Ok(())
    }

    /// Whether `phase` ends before its last epoch, see [`EvaluationConfig::patience`](crate::EvaluationConfig).
    pub(super) fn stops_early(&self, phase: &Phase) -> bool {
        let Some(patience) = self.experiment.evaluation.patience else { return false };
        // Only an evaluation can show that validation did not improve.
        let Some((best, _)) = self.state.best_of_phase else { return false };
        let evaluated = self.state.epoch.is_multiple_of(self.experiment.evaluation.every_epochs);
        evaluated && self.state.epoch >= (best + 1).max(phase.last_change()) + patience
    }

    /// Loads the weights of the phase's best epoch, if they are kept.
    pub(super) fn restore_best(&mut self, phase: &Phase) -> Result<()> {
        if self.experiment.evaluation.keep == Keep::Last {
            return Ok(());
        }
        let Some(selected) = self.state.selected.as_ref() else { return Ok(()) };
        if selected.epoch + 1 < self.state.epoch {
            let path = self.directory.path().join(RunDir::SELECTED_WEIGHTS);
            let bytes = std::fs::read(&path).map_err(|source| Error::Read { path: path.clone(), source })?;
            if selected.weights_sha256.as_ref().is_some_and(|digest| *digest != sha256(&bytes)) {
                return Err(Error::WeightsChanged { path });
            }
            self.learner.network()?.params().load_safetensors(&bytes)?;
            self.outputs = None;
        }
        let (phase, epoch) = (&phase.name, selected.epoch + 1);
        self.observer.note(&format!("{phase}: weights of epoch {epoch} kept, the best by validation"));
        Ok(())
    }

    /// Records neural collapse of the training images and of `test`. Returns the training outputs.
    fn measure(&mut self, phase: &str, epoch: usize, test: &Outputs) -> Result<Outputs> {
        let started = Instant::now();
        let inference = self.inference()?;
        let train = inference.outputs(&self.data.train)?;
        let classifier = inference.classifier()?;
        self.record_geometry(phase, epoch, &train, test, Some(&classifier), started)?;
        Ok(train)
    }

    fn record_geometry(
        &mut self,
        phase: &str,
        epoch: usize,
        train: &Outputs,
        test: &Outputs,
        classifier: Option<&nc_metrics::Classifier>,
        started: Instant,
    ) -> Result<()> {
        let nc = geometry(train, test, classifier, &self.data.class_counts)?;
        self.record(&Event::Measured {
            phase: phase.to_owned(),
            epoch,
            train: figures(&nc.train),
            test: figures(&nc.test),
            timing: timing(started.elapsed().as_secs_f64(), self.data.train.len()),
        })
    }

    fn accuracy(&self, outputs: &Outputs) -> Result<ShotAccuracy> {
        Ok(shot_accuracy(&outputs.accuracy(&self.data.class_counts)?))
    }
}
