//! An interrupted run of which something cannot be read.

use std::fs;

use nc_record::{Event, RunDir};
use nc_train::{Error, Experiment, Observer, Resumed, RunOptions, train};

use crate::support;

/// Asks a run to stop after some steps, and notes how it began.
#[derive(Default)]
struct Watch {
    steps_left: Option<usize>,
    resumed: bool,
    passed_over: Vec<String>,
}

impl Observer for Watch {
    fn event(&mut self, _: &Event) {}

    fn resumed(&mut self, _: &Resumed<'_>) {
        self.resumed = true;
    }

    fn passed_over(&mut self, checkpoint: &nc_record::Error) {
        self.passed_over.push(checkpoint.to_string());
    }

    fn wants_to_stop(&mut self) -> bool {
        self.steps_left = self.steps_left.map(|left| left.saturating_sub(1));
        self.steps_left == Some(0)
    }
}

/// A run of four steps, stopped after the second.
fn stopped(out: &tempfile::TempDir) -> (Experiment, RunOptions, RunDir) {
    let experiment = support::experiment("ce");
    let options = RunOptions { out: out.path().to_owned(), ..RunOptions::default() };
    let mut watch = Watch { steps_left: Some(2), ..Watch::default() };
    let error = train(&experiment, &options, &mut watch).unwrap_err();
    let Error::Stopped { checkpoint, .. } = error else { panic!("{error}") };
    let directory = RunDir::open(checkpoint.parent().unwrap()).unwrap();
    (experiment, options, directory)
}

#[cfg(unix)]
#[test]
fn what_cannot_be_read_now_ends_the_run_and_stays() {
    let out = tempfile::tempdir().unwrap();
    let (experiment, options, directory) = stopped(&out);
    let checkpoints = directory.checkpoints().unwrap();
    // A log that is there but cannot be opened, as on a file system that is out of order for a while.
    let (log, aside) = (directory.path().join(RunDir::EVENTS), out.path().join("aside"));
    fs::rename(&log, &aside).unwrap();
    std::os::unix::fs::symlink(&log, &log).unwrap();
    let mut watch = Watch::default();
    let error = train(&experiment, &options, &mut watch).unwrap_err();
    assert!(matches!(error, Error::Record(nc_record::Error::Io { action: "open", .. })), "{error}");
    assert!(error.to_string().contains(RunDir::EVENTS), "{error}");
    assert_eq!(directory.checkpoints().unwrap(), checkpoints, "nothing is lost");
    assert_eq!(watch.passed_over, [""; 0]);

    fs::remove_file(&log).unwrap();
    fs::rename(&aside, &log).unwrap();
    train(&experiment, &options, &mut watch).unwrap();
    assert!(watch.resumed);
}

#[test]
fn what_is_lost_is_passed_over() {
    let out = tempfile::tempdir().unwrap();
    let (experiment, options, directory) = stopped(&out);
    fs::remove_file(directory.path().join(RunDir::EVENTS)).unwrap();
    let mut watch = Watch::default();
    train(&experiment, &options, &mut watch).unwrap();
    assert!(!watch.resumed);
    assert!(
        matches!(&watch.passed_over[..], [lost] if lost.contains(RunDir::EVENTS)),
        "{:?}",
        watch.passed_over
    );
}

#[test]
fn a_damaged_checkpoint_does_not_outlive_the_good_one() {
    let out = tempfile::tempdir().unwrap();
    let (experiment, options, directory) = stopped(&out);
    let [good] = &directory.checkpoints().unwrap()[..] else { panic!("one checkpoint") };
    fs::write(directory.path().join("checkpoint-000000003.safetensors"), "torn").unwrap();
    let mut watch = Watch { steps_left: Some(2), ..Watch::default() };
    let error = train(&experiment, &options, &mut watch).unwrap_err();
    let Error::Stopped { checkpoint, .. } = error else { panic!("{error}") };
    assert_eq!((watch.resumed, watch.passed_over.len()), (true, 1));
    assert_eq!(directory.checkpoints().unwrap(), [checkpoint, good.clone()]);
}
