//! One phase of training.

use std::time::Instant;

use candle_core::{Tensor, Var};
use candle_nn::Init;
use nc_models::{Model, Output, Pass};
use nc_record::{EpochLosses, Event, Timing};
use serde::{Deserialize, Serialize};

use crate::{
    NotFinite, Phase, Result, Sgd, Step, Trains,
    criterion::{Criterion, Targets},
    resume::Tensors,
    run::Run,
};

impl Run<'_> {
    /// Runs phase number `index` from its start, or from where `resumed` left it.
    pub(crate) fn run_phase(&mut self, index: usize, resumed: Option<Tensors>) -> Result<()> {
        let phase = &self.experiment.phases[index];
        // Phases draw from streams of their own.
        let seed = self.experiment.seed.wrapping_add((index as u64) << 32);
        let device = self.options.device.clone();
        let loader = self.data.training(phase, seed, self.options.loader_threads, &device)?;
        if phase.trains.scales_logits() {
            self.model.scale_logits()?;
        }
        let (mut optimizer, centers) = match resumed {
            Some(tensors) => tensors.restore(&self.model, phase.optimizer)?,
            None => (self.begin_phase(index, loader.batches_per_epoch())?, None),
        };
        let vars = self.learning(phase);
        let mut criterion =
            Criterion::new(&phase.objective, self.data.train.class_counts(), self.experiment.model.head);
        criterion.resume(centers);

        while self.state.epoch < phase.epochs {
            let epoch = self.state.epoch;
            let mut clock = Instant::now();
            let learning_rate = phase.optimizer.learning_rate * phase.schedule.factor(epoch, phase.epochs);
            criterion.begin_epoch(epoch, seed, self.model.feature_dim(), &device, || self.class_means())?;
            for batch in loader.epoch_from(epoch, self.state.step) {
                let batch = batch?;
                let output = forward(&self.model, phase.trains, &batch.images)?;
                let targets = Targets::new(&batch)?;
                let loss = criterion.loss(&output, &targets, self.model.head())?;
                let losses = loss.values()?;
                let images = batch.labels.len();
                let step = Step {
                    phase: &phase.name,
                    epoch,
                    step: self.state.step,
                    images,
                    loss: losses.total,
                    learning_rate,
                };
                if !losses.total.is_finite() {
                    return Err(self.diverged(&step, losses, NotFinite::Loss));
                }
                let gradients = loss.total.backward()?;
                let mut norm = criterion.step_centers(&gradients, &output.features, &targets)?;
                if norm.is_finite() {
                    norm = optimizer.step(&vars, &gradients, |name| {
                        learning_rate * phase.trains.learning_rate_factor(name)
                    })?;
                }
                if !norm.is_finite() {
                    return Err(self.diverged(&step, losses, NotFinite::Gradient(norm)));
                }
                self.state.end_step(&losses, images, &mut clock);
                self.observer.step(&step);
                let end_of_epoch = self.state.step == loader.batches_per_epoch();
                self.between_steps(&step, losses, &optimizer, &criterion, end_of_epoch)?;
            }
            let (losses, timing) = self.state.end_epoch();
            self.record(&Event::EpochFinished {
                phase: phase.name.clone(),
                epoch,
                learning_rate,
                class_weights: criterion.has_class_weights(),
                losses,
                timing,
            })?;
            self.look(phase, epoch)?;
        }
        if phase.trains.scales_logits() {
            self.model.fold_scale()?;
        }
        Ok(())
    }

    /// The variables that learn in a phase.
    fn learning(&self, phase: &Phase) -> Vec<(String, Var)> {
        let mut vars = self.model.params().vars();
        vars.retain(|(name, _)| phase.trains.learns(name));
        vars
    }

    /// Makes anew what phase number `index` starts from, and an optimiser for it.
    fn begin_phase(&mut self, index: usize, steps_per_epoch: usize) -> Result<Sgd> {
        let phase = &self.experiment.phases[index];
        if phase.trains == Trains::NewClassifier {
            for (name, var) in self.learning(phase) {
                let is_bias = var.dims().len() == 1;
                let init = Init::Randn { mean: 0.0, stdev: if is_bias { 0.0 } else { 0.01 } };
                self.model.params().reinitialize(&name, init, &phase.name)?;
            }
        }
        self.state.begin_phase(index);
        self.record(&Event::PhaseStarted {
            phase: phase.name.clone(),
            epochs: phase.epochs,
            steps_per_epoch,
        })?;
        Ok(Sgd::new(phase.optimizer))
    }

    /// The class means (K, P) of the training features.
    pub(crate) fn class_means(&self) -> Result<Tensor> {
        let train = self.outputs(&self.data.train)?;
        let means = train.class_means(self.data.train.class_counts().len())?;
        let means: Vec<f32> = means.means().iter().map(|&x| x as f32).collect();
        let dims = (self.data.train.class_counts().len(), self.model.feature_dim());
        Ok(Tensor::from_vec(means, dims, &self.options.device)?)
    }
}

impl Trains {
    /// Whether the parameter `name` learns.
    fn learns(self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::LogitScale => name == Model::SCALE,
            Self::NewClassifier | Self::ScaledClassifier { .. } => {
                name.split('.').next() == Some(Model::HEAD)
            }
        }
    }

    /// The share of the learning rate for the parameter `name`.
    fn learning_rate_factor(self, name: &str) -> f64 {
        match self {
            Self::ScaledClassifier { classifier_rate, .. } if name != Model::SCALE => classifier_rate,
            _ => 1.0,
        }
    }

    /// How the backbone is passed through.
    fn pass(self) -> Pass {
        match self {
            Self::Everything => Pass::TRAIN,
            Self::ScaledClassifier { shift_batch_norm: true, .. } => Pass { gradient: false, ..Pass::TRAIN },
            Self::NewClassifier | Self::LogitScale | Self::ScaledClassifier { .. } => Pass::EVAL,
        }
    }
}

fn forward(model: &Model, trains: Trains, images: &Tensor) -> Result<Output> {
    let features = model.features(images, trains.pass())?;
    let logits = model.head().forward(&features)?;
    Ok(Output { features, logits })
}

/// Sums over an epoch's images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LossSums {
    pub(crate) images: usize,
    sums: EpochLosses,
}

impl LossSums {
    pub(crate) fn add(&mut self, losses: &EpochLosses, images: usize) {
        let weight = images as f64;
        let add = |sum: &mut Option<f64>, term: Option<f64>| {
            if let Some(term) = term {
                *sum.get_or_insert(0.0) += weight * term;
            }
        };
        self.images += images;
        self.sums.total += weight * losses.total;
        self.sums.supervised += weight * losses.supervised;
        add(&mut self.sums.within_class, losses.within_class);
        add(&mut self.sums.between_class, losses.between_class);
    }

    pub(crate) fn mean(&self) -> EpochLosses {
        let share = |sum: f64| sum / self.images as f64;
        EpochLosses {
            total: share(self.sums.total),
            supervised: share(self.sums.supervised),
            within_class: self.sums.within_class.map(share),
            between_class: self.sums.between_class.map(share),
        }
    }
}

pub(crate) fn timing(seconds: f64, images: usize) -> Timing {
    Timing { seconds, images_per_second: images as f64 / seconds }
}
