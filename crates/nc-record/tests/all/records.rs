//! Run directories, event logs and results.

use std::{collections::BTreeSet, fs};

use nc_record::{
    AverageAccuracy, AveragedWeights, BestEpoch, DataSummary, EpochLosses, Error, Event, FORMAT_VERSION,
    RunDir, RunResult, SelectedEpoch, ShotAccuracy, Timing,
};
use proptest::prelude::*;

const ACCURACY: ShotAccuracy =
    ShotAccuracy { all: 0.5, balanced: None, many: Some(0.75), medium: None, few: Some(0.0) };

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
            validation_hash: Some("3".into()),
            class_counts: vec![3, 1],
            test_images: 4,
        },
        input: None,
        network: None,
        program: None,
        finished: None,
        weights_sha256: None,
        notes: vec![],
        epochs: vec![2],
        accuracy: 0.5,
        calibration: (),
        nc: vec![0.1, 0.2],
        experts: vec![],
        best_epoch: Some(BestEpoch { phase: "only".into(), epoch: 1, accuracy: ACCURACY }),
        selected_epoch: Some(SelectedEpoch {
            phase: "only".into(),
            epoch: 0,
            validation_accuracy: ACCURACY,
            test_accuracy: ACCURACY,
            weights_sha256: None,
            kept: true,
        }),
        weight_average: Some(AveragedWeights {
            accuracy: AverageAccuracy { test_accuracy: ACCURACY, validation_accuracy: Some(ACCURACY) },
            weights_sha256: "a0".into(),
        }),
        timing: Timing { seconds: 1.5, images_per_second: 8.0 },
    }
}

#[test]
fn results_round_trip() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path().join("deep/run")).unwrap();
    let path = dir.write_result(&result()).unwrap();
    assert_eq!(path, dir.path().join("result.json"));
    assert_eq!(RunDir::read_result::<RunResult<f64, (), Vec<f64>>>(dir.path()).unwrap(), result());
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["result.json"]);
}

#[test]
fn results_of_another_format_version_or_malformed_are_rejected() {
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
fn clear_keeps_only_the_configuration_and_user_files() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    dir.write_result(&result()).unwrap();
    dir.write(RunDir::WEIGHTS, b"old").unwrap();
    dir.write(RunDir::CONFIG, b"").unwrap();
    fs::write(root.path().join("notes.txt"), "the user's own").unwrap();
    dir.clear().unwrap();
    let names = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.collect::<BTreeSet<_>>(), ["config.toml", "notes.txt"].map(Into::into).into());
}

#[test]
fn failed_writes_name_the_file_and_leave_no_temporary_file() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    fs::create_dir(root.path().join("taken")).unwrap();
    fs::write(root.path().join("taken/file"), "").unwrap();
    let error = dir.write("taken", b"bytes").unwrap_err();
    assert!(error.to_string().contains("taken"), "{error}");
    let files: Vec<_> = fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(files, ["taken"]);
    let error = RunDir::open(root.path().join("taken/file/run")).unwrap_err();
    assert!(matches!(error, Error::Io { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn symlinks_are_replaced_and_devices_are_written_directly() {
    use nc_record::write_atomically;

    let root = tempfile::tempdir().unwrap();
    let (file, link) = (root.path().join("file"), root.path().join("link"));
    fs::write(&file, "old").unwrap();
    std::os::unix::fs::symlink("file", &link).unwrap();
    write_atomically(&link, b"new").unwrap();
    assert!(!link.is_symlink());
    assert_eq!((fs::read(&file).unwrap(), fs::read(&link).unwrap()), (b"old".into(), b"new".into()));
    // A dangling link.
    let dangling = root.path().join("dangling");
    std::os::unix::fs::symlink("nothing", &dangling).unwrap();
    write_atomically(&dangling, b"new").unwrap();
    assert!(!dangling.is_symlink() && !root.path().join("nothing").exists());
    // Logs and locks are written in place, where a link would be followed.
    let run = RunDir::open(root.path()).unwrap();
    for name in [RunDir::EVENTS, RunDir::TENSORBOARD, "claim.json", "claim.lock"] {
        std::os::unix::fs::symlink("file", root.path().join(name)).unwrap();
        let refused = match name {
            RunDir::EVENTS => run.event_log().map(drop),
            RunDir::TENSORBOARD => run.tensorboard(&[]).map(drop),
            _ => run.claim(nc_record::Rhythm::default(), |_, _| {}).map(drop),
        };
        assert!(refused.unwrap_err().to_string().contains("symbolic link"), "{name}");
        fs::remove_file(root.path().join(name)).unwrap();
    }
    assert_eq!(fs::read(&file).unwrap(), b"old");
    write_atomically("/dev/null".as_ref(), b"nothing").unwrap();
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

/// One event of each kind except `Measured`.
fn events() -> Vec<Event> {
    vec![
        Event::RunStarted {
            format_version: FORMAT_VERSION,
            name: "a/b".into(),
            seed: 1,
            subset_hash: "hash".into(),
            class_counts: vec![3, 1],
            class_names: vec![],
            parameters: 10,
            test_hash: "test".into(),
        },
        Event::PhaseStarted { phase: "only".into(), epochs: 1, steps_per_epoch: 2 },
        Event::EpochFinished {
            phase: "only".into(),
            epoch: 0,
            learning_rate: 0.1,
            class_weights: false,
            losses: EpochLosses {
                total: 1.0,
                terms: [("supervised".into(), 0.9), ("within_class".into(), 10.0)].into(),
            },
            timing: Timing::default(),
        },
        Event::Evaluated {
            phase: "only".into(),
            epoch: 0,
            test_accuracy: ACCURACY,
            validation_accuracy: Some(ACCURACY),
            classifier: None,
            average: Some(Box::new(AverageAccuracy { test_accuracy: ACCURACY, validation_accuracy: None })),
            timing: Timing::default(),
        },
        Event::RunFinished { timing: Timing::default() },
    ]
}

/// The bytes of a new log of `events`.
fn logged(events: &[Event]) -> Vec<u8> {
    let root = tempfile::tempdir().unwrap();
    let mut log = RunDir::open(root.path()).unwrap().event_log().unwrap();
    for event in events {
        log.append(event).unwrap();
    }
    fs::read(root.path().join(RunDir::EVENTS)).unwrap()
}

fn read_log(bytes: &[u8]) -> Result<Vec<Event>, Error> {
    let root = tempfile::tempdir().unwrap();
    fs::write(root.path().join(RunDir::EVENTS), bytes).unwrap();
    RunDir::read_events(root.path())
}

#[test]
fn events_are_json_lines_tagged_with_their_kind() {
    let text = String::from_utf8(logged(&events())).unwrap();
    let read: Vec<Event> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, events());
    assert!(text.starts_with("{\"event\":\"run_started\",\"format_version\":1,"), "{text}");
}

/// `bytes` with `changes` applied.
fn changed(mut bytes: Vec<u8>, changes: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (at, byte) in changes {
        let at = at.index(bytes.len());
        bytes[at] = *byte;
    }
    bytes
}

fn changes() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)
}

proptest! {
    #[test]
    fn events_round_trip(
        phase: String,
        epoch: usize,
        learning_rate in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL,
        figures in proptest::collection::btree_map(".*", proptest::num::f64::NORMAL, 0..4),
    ) {
        let mut written = events();
        written.push(Event::EpochFinished {
            phase: phase.clone(),
            epoch,
            learning_rate,
            class_weights: true,
            losses: EpochLosses::default(),
            timing: Timing::default(),
        });
        let (train, test) = (figures.clone(), figures);
        written.push(Event::Measured { phase, epoch, train, test, timing: Timing::default() });
        prop_assert_eq!(read_log(&logged(&written)).unwrap(), written);
    }

    #[test]
    fn a_truncated_log_has_the_events_of_its_complete_lines(place: prop::sample::Index) {
        let whole = logged(&events());
        let cut = &whole[..place.index(whole.len())];
        let lines = cut.split(|&byte| byte == b'\n').count() - 1;
        prop_assert_eq!(read_log(cut).unwrap(), events()[..lines].to_vec());
    }

    #[test]
    fn mutated_logs_are_read_or_rejected(changes in changes()) {
        let refused = read_log(&changed(logged(&events()), &changes)).err();
        prop_assert!(matches!(refused, None | Some(Error::Malformed { .. } | Error::Version { .. })), "{refused:?}");
    }

    #[test]
    fn mutated_results_are_read_or_rejected(changes in changes(), end: prop::sample::Index) {
        let root = tempfile::tempdir().unwrap();
        let dir = RunDir::open(root.path()).unwrap();
        let read = |bytes: &[u8]| {
            dir.write(RunDir::RESULT, bytes).unwrap();
            RunDir::read_result::<RunResult<f64, (), Vec<f64>>>(dir.path())
        };
        let whole = fs::read(dir.write_result(&result()).unwrap()).unwrap();
        let refused = read(&changed(whole.clone(), &changes)).err();
        prop_assert!(matches!(refused, None | Some(Error::Malformed { .. } | Error::Version { .. })), "{refused:?}");
        // Any prefix without the closing bracket and the line break.
        let cut = read(&whole[..end.index(whole.len() - 1)]);
        prop_assert!(matches!(cut, Err(Error::Malformed { .. })), "{cut:?}");
    }
}
