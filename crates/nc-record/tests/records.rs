//! Run directories, event logs and results.

use std::fs;

use nc_record::{
    BestEpoch, DataSummary, EpochLosses, Error, Event, FORMAT_VERSION, RunDir, RunResult, SelectedEpoch,
    ShotAccuracy, Timing,
};

const ACCURACY: ShotAccuracy = ShotAccuracy { all: 0.5, many: Some(0.75), medium: None, few: Some(0.0) };

fn result() -> RunResult<f64, (), Vec<f64>> {
    RunResult {
        format_version: FORMAT_VERSION,
        name: "a/b".into(),
        seed: 1,
        run_hash: "00ff".into(),
        data: DataSummary {
            source: "here".into(),
            train_hash: "1".into(),
            test_hash: "2".into(),
            class_counts: vec![3, 1],
            test_images: 4,
        },
        epochs: vec![2],
        accuracy: 0.5,
        calibration: (),
        nc: vec![0.1, 0.2],
        best_epoch: Some(BestEpoch { phase: "only".into(), epoch: 1, accuracy: ACCURACY }),
        selected_epoch: Some(SelectedEpoch {
            phase: "only".into(),
            epoch: 0,
            validation_accuracy: ACCURACY,
            test_accuracy: ACCURACY,
        }),
        timing: Timing { seconds: 1.5, images_per_second: 8.0 },
    }
}

#[test]
fn a_result_is_read_back_as_written() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path().join("deep/run")).unwrap();
    let path = dir.write_result(&result()).unwrap();
    assert_eq!(path, dir.path().join("result.json"));
    assert_eq!(RunDir::read_result::<RunResult<f64, (), Vec<f64>>>(dir.path()).unwrap(), result());
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["result.json"]);
}

#[test]
fn a_result_of_another_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    dir.write_result(&RunResult { format_version: FORMAT_VERSION + 1, ..result() }).unwrap();
    let error = RunDir::read_result::<RunResult<f64, (), Vec<f64>>>(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Version { found, .. } if found == FORMAT_VERSION + 1), "{error}");
    dir.write(RunDir::RESULT, b"{ torn").unwrap();
    let error = RunDir::read_result::<RunResult<f64, (), Vec<f64>>>(dir.path()).unwrap_err();
    assert!(matches!(error, Error::Malformed { .. }) && error.to_string().contains("result.json"), "{error}");
}

#[test]
fn a_new_run_of_the_same_name_starts_clean() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    dir.write_result(&result()).unwrap();
    dir.write(RunDir::WEIGHTS, b"old").unwrap();
    fs::write(root.path().join("notes.txt"), "the user's own").unwrap();
    dir.clear().unwrap();
    let names: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["notes.txt"]);
}

#[test]
fn what_cannot_be_written_is_named_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    fs::create_dir(root.path().join("taken")).unwrap();
    fs::write(root.path().join("taken/file"), "").unwrap();
    let error = dir.write("taken", b"bytes").unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
    assert!(!root.path().join("taken.part").exists());
    let error = RunDir::open(root.path().join("taken/file/run")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[test]
fn events_are_lines_of_json_with_their_kind() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    let events = [
        Event::run_started("a/b".into(), 1, "hash".into(), vec![3, 1], 10, "test".into()),
        Event::PhaseStarted { phase: "only".into(), epochs: 1, steps_per_epoch: 2 },
        Event::EpochFinished {
            phase: "only".into(),
            epoch: 0,
            learning_rate: 0.1,
            class_weights: false,
            losses: EpochLosses {
                total: 1.0,
                supervised: 0.9,
                within_class: Some(10.0),
                between_class: None,
            },
            timing: Timing::default(),
        },
        Event::Evaluated {
            phase: "only".into(),
            epoch: 0,
            test_accuracy: ACCURACY,
            validation_accuracy: Some(ACCURACY),
            timing: Timing::default(),
        },
        Event::RunFinished { timing: Timing::default() },
    ];
    let mut log = dir.event_log().unwrap();
    for event in &events {
        log.append(event).unwrap();
    }

    let text = fs::read_to_string(root.path().join("events.jsonl")).unwrap();
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events);
    assert!(text.starts_with("{\"event\":\"run_started\",\"format_version\":1,"), "{text}");
}
