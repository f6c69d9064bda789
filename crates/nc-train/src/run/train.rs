//! Execution of a run, from experiment to result.

use std::time::{Instant, SystemTime};

use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Network, gpu, has_bf16_instructions};
use nc_record::{
    AveragedWeights, Claim, DataSummary, Decisions, Event, EventLog, FORMAT_VERSION, NetworkSummary, RunDir,
    SelectedEpoch, TensorBoard, Timing,
};

use super::{
    continuation::Continuation,
    directory::{remember_images, run_directory},
    progress::{State, timing},
    request::Request,
    result::{Finished, RunResult},
    start::{Interrupted, Start, Tensors},
};
use crate::{
    Error, Evaluation, Learner, Observer, Result, Resumed, RunOptions,
    config::{Experiment, Keep, ValidExperiment},
    data::Data,
    digest::sha256,
    error::ensure,
    examples::examples,
    inference::{Inference, Outputs},
    init::{self, Init},
    network::{build_model, resnet},
    observer::Reading,
};

/// Runs `experiment` in its own directory under `options.out`.
///
/// Reads the data and builds the network before writing anything. Writes checkpoints during training, the last one
/// after the last step, then `weights.safetensors` and `result.json`. An interrupted run resumes from its newest
/// checkpoint; its result is bit-identical to that of an uninterrupted run, except for wall times. For a finished run,
/// returns the stored result.
///
/// # Errors
///
/// Those of the data and the files; [`Error::Setting`] for the configuration of a run of [`train_backbone`];
/// [`Error::Diverged`], [`Error::Stopped`]; [`nc_record::Error::Held`] if another process holds the lock on the run.
pub fn train(
    experiment: &ValidExperiment,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    if let Some(name) = &experiment.model.own_backbone {
        let message = format!("custom backbone {name:?}; train it with train_backbone in its own program");
        return Err(Error::setting("model.own_backbone", message));
    }
    run(experiment, resnet(experiment.model.backbone), options, observer)
}

/// Like [`train`], with a custom backbone in place of `experiment.model.backbone`.
///
/// `build` creates the backbone for images of the given shape, with parameters from the given builder. The parameter
/// names `linear.*` and `feature_norm.*` are reserved for the head. The non-empty `name` becomes part of the run's hash
/// and of its `config.toml`. [`Trained::open_with`](crate::Trained::open_with) opens the finished run.
///
/// # Errors
///
/// Those of [`train`] and `build`.
pub fn train_backbone(
    experiment: &ValidExperiment,
    name: &str,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    ensure(!name.is_empty(), "train_backbone", || {
        "expected a name for the backbone, found an empty one".into()
    })?;
    let mut named = experiment.clone().into_inner();
    named.model.own_backbone = Some(name.to_owned());
    run(&named.try_into()?, build, options, observer)
}

fn run(
    experiment: &ValidExperiment,
    build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished> {
    // Those of an earlier run of the process.
    gpu::take_unsupported_layers();
    let init = options.init_from.as_deref().map(|path| Init::read(path, experiment)).transpose()?;
    let experiment = &match &init {
        Some(init) => with_init(experiment, init)?,
        None => experiment.clone(),
    };
    let precision = nc_models::Precision::from(experiment.model.precision);
    experiment.model.precision.check(&options.device)?;
    let data = Data::open(&experiment.data, options.data_dir.as_deref(), &mut Reading(observer))?;
    let (shape, classes) = (data.train.dataset().shape(), data.class_counts.len());
    let network = build_model(experiment, shape, classes, &options.device, build)?;
    let mut notes: Vec<String> = init::frozen_at_random(experiment).into_iter().collect();
    if let Some(init) = &init {
        notes.extend(init.load(network.params(), experiment, data.train.dataset().class_names())?);
    }
    let hash_of = |experiment: &Experiment| {
        let validation = data.deciding_validation(experiment)?.unwrap_or_default();
        experiment.hash(&format!("{}{validation}", data.train.hash()))
    };
    let hash = hash_of(experiment)?;
    let directory = RunDir::open(
        options.directory.clone().unwrap_or_else(|| run_directory(&options.out, experiment, &hash)),
    )?;
    let claim = directory.claim(options.rhythm, |holder, time| observer.watches(holder, time))?;
    let request = Request {
        directory: &directory,
        experiment,
        hash: &hash,
        test_hash: data.test.hash(),
        hash_of: &hash_of,
        load: &|weights| network.params().load_safetensors(weights).is_ok(),
        fresh: options.fresh,
    };
    let start = Start::decide(&request, &mut |error| observer.passed_over(error))?;

    if let (Start::Fresh, Some(expected), None) = (&start, &experiment.model.init_sha256, &init) {
        return Err(Error::InitMissing { expected: expected.clone() });
    }
    start.check_classes(data.train.dataset().class_names(), directory.path())?;
    claim.confirm()?;
    for note in &data.notes {
        observer.note(note);
    }
    let (log, state) = match &start {
        Start::Finished(result) => {
            directory.remove_checkpoints()?;
            let directory = directory.path().to_owned();
            return Ok(Finished { result: (**result).clone(), directory, earlier: true });
        }
        Start::Interrupted(interrupted) => {
            let state = interrupted.state.clone();
            directory.remove_checkpoints_after(state.steps)?;
            // Earlier versions did not store the name of a custom backbone.
            directory.write(RunDir::CONFIG, experiment.to_toml()?.as_bytes())?;
            (directory.reopen_event_log(state.event_bytes)?.0, state)
        }
        Start::Fresh | Start::Continued(_) => {
            directory.clear()?;
            directory.write(RunDir::CONFIG, experiment.to_toml()?.as_bytes())?;
            let mut state = match &start {
                Start::Continued(continuation) => continuation.state(experiment, hash),
                _ => State { run_hash: hash, notes, ..State::default() },
            };
            state.notes.retain(|note| !data.notes.contains(note));
            (directory.event_log()?, state)
        }
    };
    if precision == nc_models::Precision::Bf16 && !gpu::is_started() && !has_bf16_instructions()? {
        observer.note("bf16 without the instructions of AVX512-BF16 is slower than f32");
    }
    for note in &state.notes {
        observer.note(note);
    }
    let earlier = match &start {
        Start::Continued(continuation) => &continuation.events[..],
        Start::Interrupted(interrupted) => &interrupted.events[..],
        Start::Fresh | Start::Finished(_) => &[],
    };
    let tensorboard = directory.tensorboard(earlier)?;
    remember_images(&directory, options)?;
    observer.starts(directory.path());
    let now = Instant::now();
    let run = Run {
        experiment,
        options,
        learner: Learner::new(network, data.train.class_counts())
            .in_precision(experiment.model.precision.into()),
        data,
        outputs: None,
        average: None,
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
        Start::Fresh | Start::Finished(_) => run.begin(),
        Start::Continued(continuation) => run.continue_after(*continuation),
        Start::Interrupted(interrupted) => run.resume(*interrupted),
    }
}

/// The experiment that starts from the weights of `init`.
fn with_init(experiment: &ValidExperiment, init: &Init) -> Result<ValidExperiment> {
    let mut experiment = experiment.clone().into_inner();
    experiment.model.init_sha256 = Some(init.sha256.clone());
    experiment.try_into()
}

/// An active run.
pub(super) struct Run<'a> {
    pub(super) experiment: &'a Experiment,
    pub(super) options: &'a RunOptions,
    pub(super) data: Data,
    pub(super) learner: Learner,
    /// Training and test outputs after the last epoch of the run, if measured.
    pub(super) outputs: Option<(Outputs, Outputs)>,
    /// The average of the weights at the end of the last phase.
    pub(super) average: Option<AveragedWeights>,
    pub(super) directory: RunDir,
    pub(super) claim: Claim,
    pub(super) log: EventLog,
    tensorboard: TensorBoard,
    pub(super) observer: &'a mut dyn Observer,
    pub(super) state: State,
    /// Start of this session, and time of its last checkpoint.
    started: Instant,
    pub(super) checkpointed: Instant,
}

impl Run<'_> {
    fn begin(mut self) -> Result<Finished> {
        self.record(&self.started_event()?)?;
        self.execute(None)
    }

    fn started_event(&self) -> Result<Event> {
        Ok(Event::RunStarted {
            format_version: FORMAT_VERSION,
            name: self.experiment.name.clone(),
            seed: self.experiment.seed,
            subset_hash: self.data.train.hash().to_owned(),
            class_counts: self.data.class_counts.clone(),
            class_names: self.data.train.dataset().class_names().to_vec(),
            parameters: self.learner.network()?.params().parameter_count(),
            test_hash: self.data.test.hash().to_owned(),
        })
    }

    /// Continues after the phases of `continuation`, whose weights are loaded, as if this run had trained them.
    fn continue_after(mut self, continuation: Continuation) -> Result<Finished> {
        if let Some(weights) = &continuation.selected_weights {
            self.directory.write(RunDir::SELECTED_WEIGHTS, weights)?;
        }
        let events: Vec<Event> = [self.started_event()?].into_iter().chain(continuation.events).collect();
        for event in &events {
            self.claim.confirm()?;
            self.log.append(event)?;
        }
        self.observer.continued(&events);
        self.execute(None)
    }

    fn resume(self, interrupted: Interrupted) -> Result<Finished> {
        let State { phase, epoch, step, .. } = self.state;
        let phase = &self.experiment.phases[phase].name;
        let (events, images) = (&interrupted.events[..], self.state.images());
        self.observer.resumed(&Resumed { events, phase, epoch, step, images });
        self.execute(Some(interrupted.tensors))
    }

    /// Runs the remaining phases, the first from `resumed`, and writes the result.
    fn execute(mut self, mut resumed: Option<Tensors>) -> Result<Finished> {
        for phase in self.state.phase..self.experiment.phases.len() {
            self.run_phase(phase, resumed.take())?;
        }
        if let Some(post_hoc) = &self.experiment.post_hoc {
            let classifier = self.inference()?.adjusted(post_hoc)?;
            self.learner.network()?.set_classifier(&classifier)?;
        }
        // Outputs are stale if the classifier changed after the last epoch.
        let outputs = self.outputs.take().filter(|_| !self.classifier_changed());
        let keeps_best = self.experiment.evaluation.keep == Keep::Best;
        // No epoch had the adjusted classifier.
        let of_an_epoch = self.experiment.post_hoc.is_none();
        let inference = self.inference()?;
        let (train, test) = match outputs {
            Some(outputs) => outputs,
            None => (inference.outputs(&self.data.train)?, inference.outputs(&self.data.test)?),
        };
        let (Evaluation { accuracy, calibration, nc, class_counts, experts, .. }, projection) =
            inference.evaluate_outputs(&train, &test)?;
        let examples = examples(&self.data, &test)?;
        if let Some((validation, _)) = &self.data.validation {
            let outputs = inference.outputs(validation)?;
            let predictions = nc_metrics::predictions(&outputs.logits, class_counts.len())?;
            let images_hash = validation.hash().to_owned();
            let decisions = Decisions { images_hash, labels: outputs.labels, predictions };
            self.directory.write_json(RunDir::VALIDATION, &decisions)?;
        }
        let weights_sha256 = self.write_weights(RunDir::WEIGHTS)?;
        let input = self.data.input();
        let network = self.learner.network()?;
        let architecture = network.architecture(input.height, input.width);
        let network = NetworkSummary {
            parameters: network.params().parameter_count(),
            flops_per_image: architecture.as_ref().map(|architecture| architecture.multiply_adds),
            channels: architecture.map(|architecture| architecture.channels).unwrap_or_default(),
            precision: nc_models::Precision::from(self.experiment.model.precision).to_string(),
        };

        let Timing { images_per_second, .. } =
            timing(self.state.training_seconds, self.state.training_images);
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
                validation_hash: self.data.deciding_validation(self.experiment)?,
                class_counts,
                test_images: self.data.test.len(),
            },
            input: Some(input),
            network: Some(network),
            program: Some(self.options.program.clone()),
            weights_sha256: Some(weights_sha256),
            notes: self.data.notes.iter().chain(&self.state.notes).cloned().collect(),
            epochs: self.epochs().collect(),
            accuracy,
            calibration,
            nc,
            best_epoch: self.state.best.clone().filter(|_| of_an_epoch),
            experts,
            selected_epoch: self
                .state
                .selected
                .clone()
                .filter(|_| of_an_epoch)
                .map(|selected| SelectedEpoch { kept: keeps_best, ..selected }),
            weight_average: self.average.take(),
            finished: Some(humantime::format_rfc3339_seconds(SystemTime::now()).to_string()),
            timing,
        };
        self.record(&Event::RunFinished { timing })?;
        self.log.sync()?;
        if let Some(projection) = projection {
            self.directory.write_json(RunDir::PROJECTION, &projection)?;
        }
        self.directory.write_json(RunDir::EXAMPLES, &examples)?;
        // The result marks the run as finished.
        self.directory.write_result(&result)?;
        self.directory.remove_checkpoints()?;
        Ok(Finished { result, directory: self.directory.path().to_owned(), earlier: false })
    }

    /// The network on the run's data, in evaluation mode.
    pub(super) fn inference(&self) -> Result<Inference<'_>> {
        Ok(Inference {
            network: self.learner.network()?,
            data: &self.data,
            options: self.options,
            adjusted: self.experiment.post_hoc.is_some(),
            replacement: None,
        })
    }

    /// Seconds of the run so far, over all sessions.
    pub(super) fn seconds(&self) -> f64 {
        self.state.seconds + self.started.elapsed().as_secs_f64()
    }

    /// Trained epochs of each phase.
    fn epochs(&self) -> impl Iterator<Item = usize> {
        let stopped = &self.state.stopped;
        let phases = self.experiment.phases.iter().enumerate();
        phases.map(|(index, phase)| stopped.get(&index).copied().unwrap_or(phase.epochs))
    }

    /// Whether the classifier changed after the last epoch.
    fn classifier_changed(&self) -> bool {
        let scaled = self.experiment.phases.last().is_some_and(|phase| phase.trains.scales_logits());
        scaled || self.experiment.post_hoc.is_some()
    }

    /// Writes the weights and returns their SHA-256.
    pub(super) fn write_weights(&self, name: &str) -> Result<String> {
        self.write_weights_of(self.learner.network()?, name)
    }

    /// [`Run::write_weights`] of `network`, which shares the learner's.
    pub(super) fn write_weights_of(&self, network: &dyn Network, name: &str) -> Result<String> {
        self.claim.confirm()?;
        let weights = self.data.input().add_to(&network.to_safetensors()?);
        let weights = weights.map_err(nc_models::Error::from)?;
        self.directory.write(name, &weights)?;
        Ok(sha256(&weights))
    }

    pub(super) fn record(&mut self, event: &Event) -> Result<()> {
        self.claim.confirm()?;
        self.log.append(event)?;
        self.tensorboard.append(event)?;
        self.observer.event(event);
        Ok(())
    }
}
