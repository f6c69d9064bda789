//! Runs that were cut off in their last moments, or whose files were lost or damaged since.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use nc_record::{Event, RunDir};
use nc_train::{Error, Experiment, Finished, Observer, Resumed, RunOptions, Trained, train, train_backbone};

use crate::support::experiment;

fn options(out: &Path) -> RunOptions {
    RunOptions { out: out.to_owned(), ..RunOptions::default() }
}

/// How a run began; ends it, if that is wanted, between its weights and its result.
#[derive(Default)]
struct Watch {
    fatal: bool,
    resumed: bool,
    continued: bool,
}

impl Observer for Watch {
    fn event(&mut self, event: &Event) {
        assert!(!(self.fatal && matches!(event, Event::RunFinished { .. })), "the process dies");
    }

    fn resumed(&mut self, _: &Resumed<'_>) {
        self.resumed = true;
    }

    fn continued(&mut self, _: &[Event]) {
        self.continued = true;
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
fn a_run_that_dies_between_weights_and_result_goes_on_from_its_last_step() {
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
fn a_run_that_only_adjusts_and_dies_is_done_again_but_not_over_the_weights_of_others() {
    let out = tempfile::tempdir().unwrap();
    train(&experiment("ce"), &options(out.path()), &mut ()).unwrap();
    let adjusted = experiment("ce+ncm");
    dies(&adjusted, &options(out.path()));
    let run = train(&adjusted, &options(out.path()), &mut ()).unwrap();
    // Without a log nothing says that the weights are the run's own.
    for file in [RunDir::RESULT, RunDir::EVENTS] {
        fs::remove_file(run.directory.join(file)).unwrap();
    }
    let error = train(&adjusted, &options(out.path()), &mut ()).unwrap_err();
    assert!(matches!(error, Error::WeightsAlone { .. }), "{error}");
}

#[test]
fn a_first_phase_with_weights_that_cannot_be_read_is_none() {
    let (alone, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let longer = experiment("ce+crt");
    let expected = train(&longer, &options(alone.path()), &mut ()).unwrap();
    let first = train(&experiment("ce"), &options(out.path()), &mut ()).unwrap();
    fs::write(first.directory.join(RunDir::WEIGHTS), "no weights").unwrap();
    let mut watch = Watch::default();
    let run = train(&longer, &options(out.path()), &mut watch).unwrap();
    assert!(!watch.continued);
    assert!(weights(&run) == weights(&expected));
}

#[test]
fn a_run_without_weights_is_told_whether_it_was_finished() {
    let out = tempfile::tempdir().unwrap();
    let run = train(&experiment("ce"), &options(out.path()), &mut ()).unwrap();
    let refused = || Trained::open(&run.directory, &RunOptions::default()).err().unwrap();
    fs::remove_file(run.directory.join(RunDir::WEIGHTS)).unwrap();
    assert!(matches!(refused(), Error::WeightsGone { .. }), "{}", refused());
    fs::remove_file(run.directory.join(RunDir::RESULT)).unwrap();
    assert!(matches!(refused(), Error::NoWeights { .. }), "{}", refused());
}

#[test]
fn what_belongs_to_another_run_is_told_apart_by_its_hash() {
    let out = tempfile::tempdir().unwrap();
    let directory = Some(out.path().join("one"));
    let options = RunOptions { directory, ..options(out.path()) };
    let first = train(&experiment("ce"), &options, &mut ()).unwrap();
    let error = train(&Experiment { seed: 1, ..experiment("ce") }, &options, &mut ()).unwrap_err();
    let Error::OtherRun { expected, found, .. } = error else { panic!("{error}") };
    assert_eq!(found, first.result.run_hash);
    assert_ne!(expected, found);
}

/// Its runs would be taken for those of the experiment's own backbone.
#[test]
fn a_backbone_without_a_name_is_refused() {
    let out = tempfile::tempdir().unwrap();
    let (experiment, options) = (experiment("ce"), options(out.path()));
    let error = train_backbone(&experiment, "", |_, _| unreachable!(), &options, &mut ()).unwrap_err();
    assert!(matches!(error, Error::Setting { .. }) && error.to_string().contains("empty name"), "{error}");
}
