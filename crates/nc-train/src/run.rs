//! A whole run, from experiment to result.

use std::{path::PathBuf, time::Instant};

use candle_core::Device;
use candle_nn::VarBuilder;
use nc_data::{ImageShape, Loader, Subset};
use nc_metrics::{Accuracy, Calibration};
use nc_models::{Backbone, HeadConfig, Model, ParamStore, ResNet, ResNetConfig};
use nc_record::{BestEpoch, DataSummary, Event, EventLog, RunDir, SelectedEpoch, ShotAccuracy, Timing};

use crate::{
    Evaluation, Experiment, Geometry, HeadKind, Observer, Result,
    data::Data,
    evaluate::{Measured, shot_accuracy},
    phase::timing,
    trained::evaluate,
};

/// What a run needs to know and what does not change its result.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where the source's files are, for sources that are read from files.
    pub data_dir: Option<PathBuf>,
    /// Where the model runs.
    pub device: Device,
    /// The directory in which run directories are made.
    pub out: PathBuf,
    /// Threads that prepare batches, besides the one that trains.
    pub loader_threads: usize,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self { data_dir: None, device: Device::Cpu, out: "runs".into(), loader_threads: 1 }
    }
}

/// The result of a run with this project's metrics.
pub type RunResult = nc_record::RunResult<Accuracy, Calibration, Geometry>;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What it found; also in `result.json`.
    pub result: RunResult,
    /// Where its files are.
    pub directory: PathBuf,
}

/// Runs `experiment` and leaves its directory under `options.out`.
///
/// Nothing is written before the data are read and the model is built; `weights.safetensors` and `result.json` are
/// written when all phases are done.
pub fn train(experiment: &Experiment, options: &RunOptions, observer: &mut dyn Observer) -> Result<Finished> {
    run(experiment, "", resnet(experiment), options, observer)
}

/// Like [`train`], but on the backbone that `build` makes, from parameters of the given builder and for images of the
/// given shape, in place of `experiment.model.backbone`. Its `name` becomes part of the run's hash.
pub fn train_backbone(
    experiment: &Experiment,
    name: &str,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    run(experiment, name, build, options, observer)
}

fn run(
    experiment: &Experiment,
    backbone: &str,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    experiment.validate()?;
    let data = Data::open(&experiment.data, options.data_dir.as_deref())?;
    let model = build_model(experiment, &data, options, build)?;
    let hash = experiment.hash(&format!("{}{backbone}", data.train.hash()))?;
    let name = experiment.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_', "-");
    let directory =
        RunDir::create(options.out.join(format!("{name}-seed{}-{}", experiment.seed, &hash[..8])))?;
    directory.write(RunDir::CONFIG, experiment.to_toml()?.as_bytes())?;
    let log = directory.event_log()?;
    let run = Run {
        experiment,
        options,
        data,
        model,
        directory,
        log,
        observer,
        best: None,
        selected: None,
        training_seconds: 0.0,
        training_images: 0,
    };
    run.execute(hash)
}

/// How the experiment's backbone is built.
pub(crate) fn resnet(
    experiment: &Experiment,
) -> impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>> + use<> {
    let depth = experiment.model.backbone.depth();
    move |vb, shape| {
        let resnet = ResNet::new(ResNetConfig { depth, in_channels: shape.channels }, vb)?;
        Ok(Box::new(resnet) as Box<dyn Backbone>)
    }
}

/// The model at the start of a run.
pub(crate) fn build_model(
    experiment: &Experiment,
    data: &Data,
    options: &RunOptions,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
) -> Result<Model> {
    let params = ParamStore::new(experiment.seed, &options.device);
    let network = build(&params.builder(), data.train.dataset().shape())?;
    Ok(Model::new(params, network, &experiment.model.head.into(), data.train.class_counts().len())?)
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) options: &'a RunOptions,
    pub(crate) data: Data,
    pub(crate) model: Model,
    directory: RunDir,
    log: EventLog,
    pub(crate) observer: &'a mut dyn Observer,
    best: Option<BestEpoch>,
    selected: Option<SelectedEpoch>,
    pub(crate) training_seconds: f64,
    pub(crate) training_images: usize,
}

impl Run<'_> {
    fn execute(mut self, run_hash: String) -> Result<Finished> {
        let started = Instant::now();
        self.record(&Event::run_started(
            self.experiment.name.clone(),
            self.experiment.seed,
            self.data.train.hash().to_owned(),
            self.data.train.class_counts().to_vec(),
            self.model.params().parameter_count(),
        ))?;
        for phase in 0..self.experiment.phases.len() {
            self.run_phase(phase)?;
        }
        let Evaluation { accuracy, calibration, nc, class_counts } =
            evaluate(&self.model, &self.data, self.options)?;
        self.directory.write(RunDir::WEIGHTS, &self.model.params().to_safetensors()?)?;

        let seconds = started.elapsed().as_secs_f64();
        let images_per_second = self.training_images as f64 / self.training_seconds;
        let result = RunResult {
            format_version: RunResult::FORMAT_VERSION,
            name: self.experiment.name.clone(),
            seed: self.experiment.seed,
            run_hash,
            data: DataSummary {
                source: self.data.source.clone(),
                train_hash: self.data.train.hash().to_owned(),
                test_hash: self.data.test.hash().to_owned(),
                class_counts,
                test_images: self.data.test.len(),
            },
            epochs: self.experiment.phases.iter().map(|phase| phase.epochs).collect(),
            accuracy,
            calibration,
            nc,
            best_epoch: self.best.clone(),
            selected_epoch: self.selected.clone(),
            timing: Timing { seconds, images_per_second },
        };
        self.directory.write_result(&result)?;
        self.record(&Event::RunFinished { timing: result.timing })?;
        Ok(Finished { result, directory: self.directory.path().to_owned() })
    }

    /// Measures test and validation accuracy after `epoch` of `phase`, and keeps the weights if the latter is the best
    /// so far.
    pub(crate) fn evaluate(&mut self, phase: &str, epoch: usize) -> Result<()> {
        let started = Instant::now();
        let accuracy = self.accuracy(&self.data.test)?;
        let validation_accuracy =
            self.data.validation.as_ref().map(|validation| self.accuracy(validation)).transpose()?;
        let best = BestEpoch { phase: phase.to_owned(), epoch, accuracy };
        if self.best.as_ref().is_none_or(|so_far| accuracy.all > so_far.accuracy.all) {
            self.best = Some(best);
        }
        if let Some(validation_accuracy) = validation_accuracy {
            let so_far = self.selected.as_ref().map(|selected| selected.validation_accuracy.all);
            if so_far.is_none_or(|so_far| validation_accuracy.all > so_far) {
                let phase = phase.to_owned();
                self.selected =
                    Some(SelectedEpoch { phase, epoch, validation_accuracy, test_accuracy: accuracy });
                self.directory.write(RunDir::SELECTED_WEIGHTS, &self.model.params().to_safetensors()?)?;
            }
        }
        let images = self.data.test.len() + self.data.validation.as_ref().map_or(0, Subset::len);
        self.record(&Event::Evaluated {
            phase: phase.to_owned(),
            epoch,
            test_accuracy: accuracy,
            validation_accuracy,
            timing: timing(started, images),
        })
    }

    fn accuracy(&self, subset: &Subset) -> Result<ShotAccuracy> {
        let measured = Measured::of(&self.model, &self.sequential(subset)?)?;
        Ok(shot_accuracy(&measured.accuracy(self.data.train.class_counts())?))
    }

    pub(crate) fn sequential(&self, subset: &Subset) -> Result<Loader> {
        self.data.sequential(subset, self.options.loader_threads, &self.options.device)
    }

    pub(crate) fn record(&mut self, event: &Event) -> Result<()> {
        self.log.append(event)?;
        self.observer.event(event);
        Ok(())
    }
}

impl From<HeadKind> for HeadConfig {
    fn from(head: HeadKind) -> Self {
        match head {
            HeadKind::Linear => Self::Linear,
            HeadKind::Cosine { scale } => Self::Cosine { scale },
            HeadKind::Etf => Self::Etf,
        }
    }
}
