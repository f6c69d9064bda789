//! Checkpoints, claims and resumed logs.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use nc_record::{Array, Checkpoint, Claim, Error, Event, FORMAT_VERSION, Rhythm, RunDir};
use proptest::prelude::*;

fn checkpoint() -> Checkpoint<Vec<f64>> {
    let array = |values: &[f32]| Array { shape: vec![values.len()], values: values.to_vec() };
    let tensors = [("a", array(&[1.0, f32::MIN_POSITIVE, -0.0])), ("b/c", array(&[]))];
    let tensors = tensors.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
    // Numbers that an imprecise decimal parser gets wrong in the last bit.
    Checkpoint { state: vec![0.1 + 0.2, 1.0 / 3.0, 9.237_192_390_479_103e-5, f64::MAX], tensors }
}

#[test]
fn checkpoints_round_trip_bitwise_and_the_newest_two_are_kept() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    // Files of the user with similar names are not checkpoints.
    let kept_by_hand = ["keep", "12", "0000000012", "+00000012"];
    let kept_by_hand = kept_by_hand.map(|name| root.path().join(format!("checkpoint-{name}.safetensors")));
    for path in &kept_by_hand {
        fs::write(path, "mine").unwrap();
    }
    fs::create_dir(root.path().join("checkpoint-old")).unwrap();
    for steps in [9, 10, 999_999_999, 1_000_000_000] {
        dir.write_checkpoint(steps, &checkpoint()).unwrap();
    }
    let kept = dir.checkpoints().unwrap();
    let names: Vec<_> = kept.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["checkpoint-1000000000.safetensors", "checkpoint-999999999.safetensors"]);
    let read = Checkpoint::<Vec<f64>>::read(&kept[0]).unwrap();
    assert_eq!(read, checkpoint());
    assert!(read.tensors["a"].values[2].is_sign_negative());
    dir.remove_checkpoints().unwrap();
    assert_eq!(dir.checkpoints().unwrap().len(), 0);
    assert!(kept_by_hand.iter().all(|path| path.exists()));
}

#[test]
fn skipped_checkpoints_do_not_displace_good_ones() {
    for (next, told) in [(12, false), (12, true), (25, true), (35, true)] {
        let root = tempfile::tempdir().unwrap();
        let dir = RunDir::open(root.path()).unwrap();
        // A crashed process may leave three checkpoints.
        let write = |steps: u64| dir.write_checkpoint(steps, &checkpoint()).unwrap();
        let good = write(10);
        for steps in [20, 30] {
            fs::write(dir.path().join(format!("checkpoint-{steps:09}.safetensors")), "torn").unwrap();
        }
        if told {
            dir.remove_checkpoints_after(10).unwrap();
            assert_eq!(dir.checkpoints().unwrap(), std::slice::from_ref(&good));
        }
        let next = write(next);
        assert_eq!(dir.checkpoints().unwrap(), [next, good]);
    }
}

#[test]
fn a_failed_checkpoint_write_keeps_the_previous_checkpoints() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    let [first, second] = [1, 2].map(|steps| dir.write_checkpoint(steps, &checkpoint()).unwrap());
    // A directory in the place of the file.
    fs::create_dir(root.path().join("checkpoint-000000003.safetensors")).unwrap();
    let error = dir.write_checkpoint(3, &checkpoint()).unwrap_err();
    assert!(matches!(error, Error::Io { action: "write", .. }), "{error}");
    fs::remove_dir(root.path().join("checkpoint-000000003.safetensors")).unwrap();
    assert_eq!(dir.checkpoints().unwrap(), [second, first]);
}

#[test]
fn corruption_anywhere_is_detected() {
    let root = tempfile::tempdir().unwrap();
    let path = RunDir::open(root.path()).unwrap().write_checkpoint(1, &checkpoint()).unwrap();
    let whole = fs::read(&path).unwrap();
    for index in 0..whole.len() {
        for bit in [0x01, 0x20] {
            let mut bytes = whole.clone();
            bytes[index] ^= bit;
            fs::write(&path, bytes).unwrap();
            // Changes without effect on the content may pass, such as whitespace in the header.
            match Checkpoint::<Vec<f64>>::read(&path) {
                Ok(read) => assert_eq!(read, checkpoint(), "byte {index}"),
                Err(Error::Damaged { .. } | Error::Version { .. }) => {}
                Err(other) => panic!("byte {index}: {other}"),
            }
        }
    }
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let error = Checkpoint::<Vec<f64>>::read(&path).unwrap_err();
        assert!(matches!(error, Error::Damaged { .. }), "{length} bytes: {error}");
    }
}

proptest! {
    #[test]
    fn random_checkpoints_round_trip(
        state in proptest::collection::vec(proptest::num::f64::NORMAL, 0..4),
        tensors in proptest::collection::btree_map(".{0,9}", (0..4usize, 0..4usize), 0..4),
        value in proptest::num::f32::NORMAL,
    ) {
        let array = |(rows, columns)| Array { shape: vec![rows, columns], values: vec![value; rows * columns] };
        let tensors = tensors.into_iter().filter(|(name, _)| name != "__metadata__");
        let tensors = tensors.map(|(name, shape)| (name, array(shape))).collect();
        let written = Checkpoint { state, tensors };
        let root = tempfile::tempdir().unwrap();
        let path = RunDir::open(root.path()).unwrap().write_checkpoint(1, &written).unwrap();
        prop_assert_eq!(Checkpoint::read(&path).unwrap(), written);
    }

    #[test]
    fn random_bytes_are_rejected(bytes in proptest::collection::vec(any::<u8>(), 0..200), kind in 0..2) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("checkpoint");
        let start: &[u8] = if kind == 0 { b"" } else { b"\x28\0\0\0\0\0\0\0{\"__metadata__\":{\"format_version\":\"" };
        fs::write(&path, [start, &bytes].concat()).unwrap();
        let refused = Checkpoint::<Vec<f64>>::read(&path).unwrap_err();
        prop_assert!(matches!(refused, Error::Damaged { .. } | Error::Version { .. }), "{refused}");
    }
}

#[test]
fn a_checkpoint_of_another_format_version_is_rejected() {
    let root = tempfile::tempdir().unwrap();
    let path = RunDir::open(root.path()).unwrap().write_checkpoint(1, &checkpoint()).unwrap();
    let bytes = fs::read(&path).unwrap();
    let ours = format!("\"format_version\":\"{FORMAT_VERSION}\"");
    let at = bytes.windows(ours.len()).position(|window| window == ours.as_bytes()).unwrap();
    let mut newer = bytes.clone();
    newer[at + ours.len() - 2] = b'7';
    fs::write(&path, newer).unwrap();
    let error = Checkpoint::<Vec<f64>>::read(&path).unwrap_err();
    assert!(matches!(error, Error::Version { found: 7, .. }), "{error}");
}

#[test]
fn a_reopened_log_continues_after_the_last_sync() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    let phase = |epochs| Event::PhaseStarted { phase: "only".into(), epochs, steps_per_epoch: 1 };
    let first = Event::RunStarted {
        format_version: FORMAT_VERSION,
        name: "a".into(),
        seed: 0,
        subset_hash: "hash".into(),
        class_counts: vec![1],
        class_names: vec![],
        parameters: 1,
        test_hash: "test".into(),
    };
    let mut log = dir.event_log().unwrap();
    log.append(&first).unwrap();
    let synced = log.sync().unwrap();
    log.append(&phase(1)).unwrap();
    drop(log);

    let (mut log, events) = dir.reopen_event_log(synced).unwrap();
    assert_eq!(events, std::slice::from_ref(&first));
    log.append(&phase(2)).unwrap();
    let all = log.sync().unwrap();
    assert_eq!(dir.reopen_event_log(all).unwrap().1, [first, phase(2)]);
    let error = dir.reopen_event_log(all + 1).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }) && error.to_string().contains("events.jsonl"), "{error}");
    // The error leaves the log unchanged.
    assert_eq!(fs::metadata(root.path().join("events.jsonl")).unwrap().len(), all);
}

/// Short intervals, for tests.
const RHYTHM: Rhythm = Rhythm { beat: Duration::from_millis(100), dead_after: Duration::from_millis(600) };

/// Atomically writes the claim of a process on another machine.
fn write_foreign(directory: &Path, beat: u64) {
    let holder = BTreeMap::from([
        ("host", serde_json::json!("elsewhere")),
        ("process", 12.into()),
        ("since", 0.into()),
        ("machine", "another".into()),
        ("beat", beat.into()),
    ]);
    fs::write(directory.join("written"), serde_json::to_vec(&holder).unwrap()).unwrap();
    fs::rename(directory.join("written"), directory.join("claim.json")).unwrap();
}

#[test]
fn only_one_process_holds_the_claim() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    assert!(!Claim::is_held(root.path()));
    let claim = dir.claim(RHYTHM, |_, _| {}).unwrap();
    assert!(Claim::is_held(root.path()));
    let error = dir.claim(RHYTHM, |_, _| {}).unwrap_err();
    let process = std::process::id();
    assert!(matches!(&error, Error::Held { holder: Some(holder), .. } if holder.process == process));
    assert!(error.to_string().contains(&process.to_string()), "{error}");
    // The lock excludes processes on this machine, the heartbeat those on other machines.
    let beat = || {
        let text = fs::read(root.path().join("claim.json")).unwrap();
        serde_json::from_slice::<serde_json::Value>(&text).unwrap()["beat"].as_u64().unwrap()
    };
    let (before, started) = (beat(), std::time::Instant::now());
    while beat() < before + 2 {
        assert!(started.elapsed() < Duration::from_secs(30), "no heartbeat");
        std::thread::sleep(RHYTHM.beat);
    }
    claim.confirm().unwrap();
    drop(claim);
    assert!(!root.path().join("claim.json").exists() && !Claim::is_held(root.path()));
    dir.claim(RHYTHM, |_, _| {}).unwrap();
}

#[test]
fn a_holder_on_another_machine_without_heartbeat_is_dead() {
    let root = tempfile::tempdir().unwrap();
    write_foreign(root.path(), 5);
    let started = std::time::Instant::now();
    let mut told = String::new();
    let claim = Claim::acquire(root.path(), RHYTHM, |holder, time| {
        told = format!("{} for {time:?}", holder.unwrap());
    });
    assert!(started.elapsed() >= RHYTHM.dead_after);
    assert_eq!(told, "process 12 on elsewhere for 600ms");
    let claim = claim.unwrap();
    drop(claim);

    // A holder with a heartbeat is alive.
    write_foreign(root.path(), 5);
    let beating = root.path().to_owned();
    let beats = std::thread::spawn(move || {
        for beat in 6..16 {
            std::thread::sleep(Duration::from_millis(50));
            write_foreign(&beating, beat);
        }
    });
    let error = Claim::acquire(root.path(), RHYTHM, |_, _| {}).unwrap_err();
    assert!(error.to_string().contains("process 12 on elsewhere"), "{error}");
    beats.join().unwrap();
}

#[test]
fn a_claim_released_while_waiting_is_free() {
    let root = tempfile::tempdir().unwrap();
    write_foreign(root.path(), 5);
    let claim = Claim::acquire(root.path(), RHYTHM, |_, _| {
        fs::remove_file(root.path().join("claim.json")).unwrap();
    });
    claim.unwrap().confirm().unwrap();
    // Unless another process is faster; it may not have written its name yet.
    write_foreign(root.path(), 5);
    let claim = Claim::acquire(root.path(), RHYTHM, |_, _| {
        fs::write(root.path().join("claim.json"), "").unwrap();
    });
    assert!(matches!(claim, Err(Error::Held { holder: None, .. })));
}

#[test]
fn a_claim_being_created_is_waited_for() {
    let root = tempfile::tempdir().unwrap();
    let empty = || fs::write(root.path().join("claim.json"), "").unwrap();
    empty();
    let error = Claim::acquire(root.path(), RHYTHM, |_, _| write_foreign(root.path(), 0)).unwrap_err();
    assert!(error.to_string().contains("process 12 on elsewhere"), "{error}");
    // The file of a process that died creating it.
    empty();
    let mut watched = false;
    let claim = Claim::acquire(root.path(), RHYTHM, |holder, _| watched = holder.is_none()).unwrap();
    assert!(watched);
    claim.confirm().unwrap();
}

#[test]
fn the_holder_of_the_lock_is_named_only_if_known() {
    let root = tempfile::tempdir().unwrap();
    let lock = fs::File::create(root.path().join("claim.lock")).unwrap();
    lock.lock().unwrap();
    // The process with the lock may be waiting for the heartbeat of this dead one.
    write_foreign(root.path(), 5);
    let error = Claim::acquire(root.path(), RHYTHM, |_, _| {}).unwrap_err();
    assert!(matches!(error, Error::Held { holder: None, dead_after: None, .. }), "{error}");
}

#[test]
fn a_claim_taken_over_is_not_confirmed() {
    let root = tempfile::tempdir().unwrap();
    let claim = Claim::acquire(root.path(), RHYTHM, |_, _| {}).unwrap();
    write_foreign(root.path(), 1);
    let error = claim.confirm().unwrap_err();
    assert!(error.to_string().contains("process 12 on elsewhere"), "{error}");
    std::thread::sleep(RHYTHM.beat * 3);
    drop(claim);
    let left = fs::read_to_string(root.path().join("claim.json")).unwrap();
    assert!(
        left.contains("elsewhere") && left.contains("\"beat\":1,"),
        "the other process keeps its claim: {left}"
    );
}

#[test]
fn a_claim_taken_over_and_released_is_not_confirmed() {
    let root = tempfile::tempdir().unwrap();
    let suspended = Claim::acquire(root.path(), RHYTHM, |_, _| {}).unwrap();
    // Without file locks, another process declared this one dead, finished the work and released the claim.
    fs::remove_file(root.path().join("claim.json")).unwrap();
    let error = suspended.confirm().unwrap_err();
    assert!(matches!(error, Error::Held { holder: None, .. }), "{error}");
    std::thread::sleep(RHYTHM.beat * 3);
    assert!(!root.path().join("claim.json").exists(), "the lost claim was re-created");
}

#[test]
fn temporary_files_are_removed_by_the_next_holder() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::open(root.path()).unwrap();
    fs::write(root.path().join("weights.safetensors.12-0.part"), "half").unwrap();
    for name in ["weights.safetensors", "notes.part", "weights.12.part"] {
        fs::write(root.path().join(name), "whole").unwrap();
    }
    let _claim = dir.claim(RHYTHM, |_, _| {}).unwrap();
    assert!(!root.path().join("weights.safetensors.12-0.part").exists());
    for name in ["weights.safetensors", "notes.part", "weights.12.part"] {
        assert!(root.path().join(name).exists(), "{name} belongs to the user");
    }
}
