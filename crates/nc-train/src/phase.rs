//! One phase of training.

use std::time::Instant;

use candle_core::{Tensor, Var};
use candle_nn::Init;
use nc_models::{Model, Output, Pass};
use nc_record::{EpochLosses, Event, Timing};

use crate::{
    Error, Phase, Result, Sgd, Step, Trains,
    criterion::{BatchLoss, Criterion, Targets},
    evaluate::Measured,
    run::Run,
};

impl Run<'_> {
    pub(crate) fn run_phase(&mut self, index: usize) -> Result<()> {
        let phase = &self.experiment.phases[index];
        // Phases draw from streams of their own.
        let seed = self.experiment.seed.wrapping_add((index as u64) << 32);
        let device = self.options.device.clone();
        let loader = self.data.training(phase, seed, self.options.loader_threads, &device)?;
        let vars = self.begin(phase)?;
        let mut criterion = Criterion::new(&phase.objective, self.data.train.class_counts());
        let mut optimizer = Sgd::new(phase.optimizer);
        self.record(&Event::PhaseStarted {
            phase: phase.name.clone(),
            epochs: phase.epochs,
            steps_per_epoch: loader.batches_per_epoch(),
        })?;

        for epoch in 0..phase.epochs {
            let started = Instant::now();
            let learning_rate = phase.optimizer.learning_rate * phase.schedule.factor(epoch, phase.epochs);
            criterion.begin_epoch(epoch, seed, self.model.feature_dim(), &device, || self.class_means())?;
            let mut sums = LossSums::default();
            for (step, batch) in loader.epoch(epoch).enumerate() {
                let batch = batch?;
                let output = forward(&self.model, phase.trains, &batch.images)?;
                let loss = criterion.loss(&output, &Targets::new(&batch)?)?;
                let losses = finite(&loss, phase, epoch, step, learning_rate)?;
                let gradients = loss.total.backward()?;
                optimizer.step(&vars, &gradients, learning_rate)?;
                criterion.step_centers(&gradients)?;

                let images = batch.labels.len();
                sums.add(&losses, images);
                let phase = &phase.name;
                self.observer.step(&Step { phase, epoch, step, images, loss: losses.total, learning_rate });
            }
            let timing = timing(started, sums.images);
            self.training_seconds += timing.seconds;
            self.training_images += sums.images;
            self.record(&Event::EpochFinished {
                phase: phase.name.clone(),
                epoch,
                learning_rate,
                class_weights: criterion.has_class_weights(),
                losses: sums.mean(),
                timing,
            })?;
            let last = epoch + 1 == phase.epochs;
            if last || (epoch + 1).is_multiple_of(self.experiment.evaluation.every_epochs) {
                self.evaluate(&phase.name, epoch)?;
            }
        }
        Ok(())
    }

    /// Makes the model ready for a phase and picks the variables that learn.
    fn begin(&self, phase: &Phase) -> Result<Vec<(String, Var)>> {
        let params = self.model.params();
        let mut vars = params.vars();
        if phase.trains == Trains::NewClassifier {
            let head = format!("{}.", Model::HEAD);
            vars.retain(|(name, _)| name.starts_with(&head));
            for (name, _) in &vars {
                let std = if *name == format!("{head}bias") { 0.0 } else { 0.01 };
                params.reinitialize(name, Init::Randn { mean: 0.0, stdev: std }, &phase.name)?;
            }
        }
        Ok(vars)
    }

    /// The class means (K, P) of the training features.
    fn class_means(&self) -> Result<Tensor> {
        let train = Measured::of(&self.model, &self.sequential(&self.data.train)?)?;
        let means = train.class_means(self.data.train.class_counts().len())?;
        let means: Vec<f32> = means.means().iter().map(|&x| x as f32).collect();
        let dims = (self.data.train.class_counts().len(), self.model.feature_dim());
        Ok(Tensor::from_vec(means, dims, &self.options.device)?)
    }
}

fn forward(model: &Model, trains: Trains, images: &Tensor) -> Result<Output> {
    match trains {
        Trains::Everything => Ok(model.forward(images, Pass::TRAIN)?),
        Trains::NewClassifier => {
            let features = model.features(images, Pass::EVAL)?;
            let logits = model.head().forward(&features)?;
            Ok(Output { features, logits })
        }
    }
}

/// The values of a batch's losses.
fn finite(
    loss: &BatchLoss,
    phase: &Phase,
    epoch: usize,
    step: usize,
    learning_rate: f64,
) -> Result<EpochLosses> {
    let value = |tensor: &Tensor| Ok::<_, Error>(f64::from(tensor.to_scalar::<f32>()?));
    let losses = EpochLosses {
        total: value(&loss.total)?,
        supervised: value(&loss.supervised)?,
        within_class: loss.within_class.as_ref().map(value).transpose()?,
        between_class: loss.between_class.as_ref().map(value).transpose()?,
    };
    if losses.total.is_finite() {
        return Ok(losses);
    }
    Err(Error::NonFiniteLoss {
        phase: phase.name.clone(),
        epoch,
        step,
        learning_rate,
        loss: losses.total,
        supervised: losses.supervised,
        within_class: losses.within_class,
        between_class: losses.between_class,
    })
}

/// Sums over an epoch's images.
#[derive(Default)]
struct LossSums {
    images: usize,
    sums: EpochLosses,
}

impl LossSums {
    fn add(&mut self, losses: &EpochLosses, images: usize) {
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

    fn mean(&self) -> EpochLosses {
        let share = |sum: f64| sum / self.images as f64;
        EpochLosses {
            total: share(self.sums.total),
            supervised: share(self.sums.supervised),
            within_class: self.sums.within_class.map(share),
            between_class: self.sums.between_class.map(share),
        }
    }
}

pub(crate) fn timing(started: Instant, images: usize) -> Timing {
    let seconds = started.elapsed().as_secs_f64();
    Timing { seconds, images_per_second: images as f64 / seconds }
}
