//! Runs interrupted at the end, and runs with lost or damaged files.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use nc_record::{Event, RunDir};
use nc_train::{
    Error, Experiment, Finished, Observer, Resumed, RunOptions, Trained, ValidExperiment, train_backbone,
};

use crate::support::{experiment, train};

fn options(out: &Path) -> RunOptions {
    RunOptions { out: out.to_owned(), ..RunOptions::default() }
}

/// Records how a run starts. Stops it after `steps_left`, or panics between writing weights and result.
#[derive(Default)]
struct Watch {
    fatal: bool,
    resumed: bool,
    skipped: usize,
    steps_left: Option<usize>,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        assert!(!(self.fatal && matches!(event, Event::RunFinished { .. })), "simulated crash");
    }

    fn resumed(&mut self, _: &Resumed<'_>) {
        self.resumed = true;
    }

    fn passed_over(&mut self, _: &nc_record::Error) {
        self.skipped += 1;
    }

    fn wants_to_stop(&mut self) -> bool {
        self.steps_left = self.steps_left.map(|left| left.saturating_sub(1));
        self.steps_left == Some(0)
    }
}

fn dies(experiment: &Experiment, options: &RunOptions) {
    let mut watch = Watch { fatal: true, ..Watch::default() };
    assert!(catch_unwind(AssertUnwindSafe(|| train(experiment, options, &mut watch))).is_err());
}

fn weights(run: &Finished) -> Vec<u8> {
    fs::read(run.directory.join(RunDir::WEIGHTS)).unwrap()
}

#[test]
fn a_run_killed_between_weights_and_result_resumes_from_its_last_step() {
    let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let longer = experiment("ce+crt");
    let expected = train(&longer, &options(whole.path()), &mut ()).unwrap();
    dies(&longer, &options(out.path()));
    let mut watch = Watch::default();
    let run = train(&longer, &options(out.path()), &mut watch).unwrap();
    assert!(watch.resumed);
    assert!(weights(&run) == weights(&expected));
    assert_eq!(run.result.accuracy, expected.result.accuracy);
}

#[test]
fn errors_distinguish_unfinished_runs_from_missing_weights() {
    let out = tempfile::tempdir().unwrap();
    let run = train(&experiment("ce"), &options(out.path()), &mut ()).unwrap();
    let refused = || Trained::open(&run.directory, &RunOptions::default()).err().unwrap();
    fs::remove_file(run.directory.join(RunDir::WEIGHTS)).unwrap();
    assert!(matches!(refused(), Error::WeightsGone { .. }), "{}", refused());
    fs::remove_file(run.directory.join(RunDir::RESULT)).unwrap();
    assert!(matches!(refused(), Error::NoWeights { .. }), "{}", refused());
}

/// Its runs would share their hash with those of the experiment's built-in backbone.
#[test]
fn custom_backbones_require_a_name() {
    let out = tempfile::tempdir().unwrap();
    let experiment = ValidExperiment::try_from(experiment("ce")).unwrap();
    let options = options(out.path());
    let error = train_backbone(&experiment, "", |_, _| unreachable!(), &options, &mut ()).unwrap_err();
    assert!(
        matches!(error, Error::Setting { .. }) && error.to_string().contains("found an empty one"),
        "{error}"
    );
}

/// With mix-up, so that the centres of each expert learn from both sets of labels.
#[test]
fn centres_of_experts_resume_to_the_same_bits() {
    let (whole, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut experiment = experiment("ride-3+nc");
    experiment.phases[0].mixup_alpha = 1.0;
    let expected = train(&experiment, &options(whole.path()), &mut ()).unwrap();
    let mut watch = Watch { steps_left: Some(2), ..Watch::default() };
    let error = train(&experiment, &options(out.path()), &mut watch).unwrap_err();
    assert!(matches!(error, Error::Stopped { .. }), "{error}");
    let mut watch = Watch::default();
    let run = train(&experiment, &options(out.path()), &mut watch).unwrap();
    assert!(watch.resumed);
    assert!(weights(&run) == weights(&expected));
    assert_eq!(run.result.experts, expected.result.experts);
}

/// A run of four steps, stopped after the second.
fn stopped(out: &tempfile::TempDir) -> (Experiment, RunOptions, RunDir) {
    let experiment = experiment("ce");
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let mut watch = Watch { steps_left: Some(2), ..Watch::default() };
    let error = train(&experiment, &options, &mut watch).unwrap_err();
    let Error::Stopped { checkpoint, .. } = error else { panic!("{error}") };
    let directory = RunDir::open(checkpoint.parent().unwrap()).unwrap();
    (experiment, options, directory)
}

#[test]
fn damaged_checkpoints_are_removed_before_valid_ones() {
    let out = tempfile::tempdir().unwrap();
    let (experiment, options, directory) = stopped(&out);
    let [good] = &directory.checkpoints().unwrap()[..] else { panic!("expected one checkpoint") };
    fs::write(directory.path().join("checkpoint-000000003.safetensors"), "torn").unwrap();
    let mut watch = Watch { steps_left: Some(2), ..Watch::default() };
    let error = train(&experiment, &options, &mut watch).unwrap_err();
    let Error::Stopped { checkpoint, .. } = error else { panic!("{error}") };
    assert_eq!((watch.resumed, watch.skipped), (true, 1));
    assert_eq!(directory.checkpoints().unwrap(), [checkpoint, good.clone()]);
}
