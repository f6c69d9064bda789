//! A whole run, from experiment to result.

use std::{path::PathBuf, time::Instant};

use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_metrics::{Accuracy, Calibration, Geometry};
use nc_models::{Backbone, Model};
use nc_record::{Claim, DataSummary, Event, EventLog, RunDir, TensorBoard, Timing};

use crate::{
    Error, Evaluation, Experiment, Observer, Result, Resumed, RunOptions,
    data::Data,
    evaluate::evaluate,
    finished::{self, Beginning},
    network::{build_model, resnet},
    resume::{Interrupted, State, Tensors},
    validate::ensure,
};

/// The result of a run with this project's metrics.
pub type RunResult = nc_record::RunResult<Accuracy, Calibration, Geometry>;

/// A finished run.
#[derive(Clone, Debug)]
pub struct Finished {
    /// What it found; also in `result.json`.
    pub result: RunResult,
    /// Where its files are.
    pub directory: PathBuf,
    /// Whether it had been finished before, and nothing was left to do.
    pub earlier: bool,
}

/// Runs `experiment` and leaves its directory under `options.out`.
///
/// Nothing is written before the data are read and the model is built; `weights.safetensors` and `result.json` are
/// written when all phases are done. Until then checkpoints are, the last of them after the last step: if the same
/// experiment was begun before, it goes on from the newest one and ends with the same bits as if it had not been
/// interrupted, wall times apart. If it was finished, its result is read.
///
/// # Errors
///
/// Those of the configuration, the data and the files, which each say what to do; [`Error::Diverged`],
/// [`Error::Stopped`]; [`nc_record::Error::Held`] if another process works on the same run.
pub fn train(experiment: &Experiment, options: &RunOptions, observer: &mut dyn Observer) -> Result<Finished> {
    run(experiment, "", resnet(experiment), options, observer)
}

/// Like [`train`], but on the backbone that `build` makes, from parameters of the given builder and for images of the
/// given shape, in place of `experiment.model.backbone`. Its `name`, which must not be empty, becomes part of the run's
/// hash. Parameters named `linear.*` and `feature_norm.*` are the head's: the backbone's must have other names.
///
/// # Errors
///
/// Those of [`train`], and of `build`.
pub fn train_backbone(
    experiment: &Experiment,
    name: &str,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    ensure(!name.is_empty(), "train_backbone", || {
        "has an empty name for the backbone: should have one, which tells its runs from those of others"
            .into()
    })?;
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
    let model = build_model(experiment, &data, &options.device, build)?;
    let subset = format!("{}{backbone}", data.train.hash());
    let hash_of = |experiment: &Experiment| experiment.hash(&subset);
    let hash = hash_of(experiment)?;
    let named = || {
        let name = experiment.name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_', "-");
        options.out.join(format!("{name}-seed{}-{}", experiment.seed, &hash[..8]))
    };
    let directory = RunDir::open(options.directory.clone().unwrap_or_else(named))?;
    let claim = directory.claim(options.rhythm, |holder, time| observer.watches(holder, time))?;
    if options.fresh {
        claim.confirm()?;
        directory.clear()?;
    } else if let Some(finished) = finished::find(&directory, &hash, data.test.hash())? {
        return Ok(finished);
    }
    let interrupted = Interrupted::find(&directory, &hash, &options.device, observer)?;
    let (log, state, start) = if let Some(Interrupted { state, tensors, log, events }) = interrupted {
        claim.confirm()?;
        directory.remove_checkpoints_after(state.steps)?;
        (log, state, Start::Resumed(events, tensors))
    } else {
        let beginning = if options.fresh {
            None
        } else {
            Beginning::find(directory.path(), experiment, data.test.hash(), &model, hash_of)?
        };
        // Until it has a result, a run keeps a checkpoint beside its weights. Only one that trains nothing, and adjusts the
        // end of another, has none: its log tells that the weights are its own, and it is done again at once.
        let weights = directory.path().join(RunDir::WEIGHTS);
        let trains = beginning.as_ref().is_none_or(|shorter| shorter.phases < experiment.phases.len());
        let is_own = !trains && directory.path().join(RunDir::EVENTS).exists();
        if !options.fresh && weights.exists() && !is_own && directory.checkpoints()?.is_empty() {
            return Err(Error::WeightsAlone { weights });
        }
        claim.confirm()?;
        directory.clear()?;
        directory.write(RunDir::CONFIG, experiment.to_toml()?.as_bytes())?;
        let state = match &beginning {
            Some(beginning) => beginning.state(hash),
            None => State { run_hash: hash, ..State::default() },
        };
        (
            directory.event_log()?,
            state,
            beginning.map_or(Start::New, |beginning| Start::Continued(Box::new(beginning))),
        )
    };
    let earlier = match &start {
        Start::New => &[],
        Start::Continued(beginning) => &beginning.events[..],
        Start::Resumed(events, _) => &events[..],
    };
    let tensorboard = directory.tensorboard(earlier)?;
    let now = Instant::now();
    let run = Run {
        experiment,
        options,
        data,
        model,
        directory,
        claim,
        log,
        tensorboard,
        observer,
        state,
        started: now,
        checkpointed: now,
    };
    match start {
        Start::New => run.begin(),
        Start::Continued(beginning) => run.go_on(*beginning),
        Start::Resumed(events, tensors) => run.resume(&events, tensors),
    }
}

/// How a run starts.
enum Start {
    New,
    /// From the end of a finished run of its first phases.
    Continued(Box<Beginning>),
    /// From a checkpoint of its own.
    Resumed(Vec<Event>, Tensors),
}

/// A run under way.
pub(crate) struct Run<'a> {
    pub(crate) experiment: &'a Experiment,
    pub(crate) options: &'a RunOptions,
    pub(crate) data: Data,
    pub(crate) model: Model,
    pub(crate) directory: RunDir,
    pub(crate) claim: Claim,
    pub(crate) log: EventLog,
    tensorboard: TensorBoard,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) state: State,
    /// When this session began, and when it last wrote a checkpoint.
    started: Instant,
    pub(crate) checkpointed: Instant,
}

impl Run<'_> {
    fn begin(mut self) -> Result<Finished> {
        self.record(&self.started_event())?;
        self.execute(None)
    }

    fn started_event(&self) -> Event {
        Event::run_started(
            self.experiment.name.clone(),
            self.experiment.seed,
            self.data.train.hash().to_owned(),
            self.data.train.class_counts().to_vec(),
            self.model.params().parameter_count(),
            self.data.test.hash().to_owned(),
        )
    }

    /// Starts after the phases of `beginning`, whose weights the model has, as if this run had done them itself.
    fn go_on(mut self, beginning: Beginning) -> Result<Finished> {
        if let Some(weights) = &beginning.selected_weights {
            self.directory.write(RunDir::SELECTED_WEIGHTS, weights)?;
        }
        let events: Vec<Event> = [self.started_event()].into_iter().chain(beginning.events).collect();
        for event in &events {
            self.claim.confirm()?;
            self.log.append(event)?;
        }
        self.observer.continued(&events);
        self.execute(None)
    }

    fn resume(self, events: &[Event], tensors: Tensors) -> Result<Finished> {
        let State { phase, epoch, step, .. } = self.state;
        let phases = &self.experiment.phases;
        let Some(phase) = phases.get(phase).map(|phase| &phase.name) else {
            let reason = format!("it is of phase {phase}, expected one below {}", phases.len());
            return Err(nc_record::Error::Damaged { path: tensors.path, reason }.into());
        };
        finished::check_test_images(events, self.data.test.hash(), self.directory.path())?;
        let images = self.state.images();
        self.observer.resumed(&Resumed { events, phase, epoch, step, images });
        self.execute(Some(tensors))
    }

    /// Runs what is left of the phases, of which `resumed` belongs to the first.
    fn execute(mut self, mut resumed: Option<Tensors>) -> Result<Finished> {
        for phase in self.state.phase..self.experiment.phases.len() {
            self.run_phase(phase, resumed.take())?;
        }
        if let Some(post_hoc) = &self.experiment.post_hoc {
            self.adjust_classifier(post_hoc)?;
        }
        let (Evaluation { accuracy, calibration, nc, class_counts }, projection) =
            evaluate(&self.model, &self.data, self.options)?;
        self.write_weights(RunDir::WEIGHTS)?;

        let images_per_second = self.state.training_images as f64 / self.state.training_seconds;
        let timing = Timing { seconds: self.seconds(), images_per_second };
        let result = RunResult {
            format_version: RunResult::FORMAT_VERSION,
            name: self.experiment.name.clone(),
            seed: self.experiment.seed,
            run_hash: self.state.run_hash.clone(),
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
            best_epoch: self.state.best.clone(),
            selected_epoch: self.state.selected.clone(),
            timing,
        };
        self.record(&Event::RunFinished { timing })?;
        self.log.sync()?;
        if let Some(projection) = projection {
            self.directory.write_json(RunDir::PROJECTION, &projection)?;
        }
        // The result is what marks a run as finished.
        self.directory.write_result(&result)?;
        self.directory.remove_checkpoints()?;
        Ok(Finished { result, directory: self.directory.path().to_owned(), earlier: false })
    }

    /// Of the run so far, in all sessions.
    pub(crate) fn seconds(&self) -> f64 {
        self.state.seconds + self.started.elapsed().as_secs_f64()
    }

    pub(crate) fn write_weights(&self, name: &str) -> Result<()> {
        self.claim.confirm()?;
        self.directory.write(name, &self.model.to_safetensors()?)?;
        Ok(())
    }

    pub(crate) fn record(&mut self, event: &Event) -> Result<()> {
        self.claim.confirm()?;
        self.log.append(event)?;
        self.tensorboard.append(event)?;
        self.observer.event(event);
        Ok(())
    }
}
