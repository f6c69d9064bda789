//! Resuming a run that was killed, stopped or damaged, and the lock on its directory.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    interrupted::{EACH_STEP, Left, args, checkpoints, killed_run, start, timeless, wait_until},
    run::{failure, last_line, nclt, run_dir, stdout},
};

/// Kills `NCLT_KILLS` processes (default 12) at random times. With a checkpoint after each step, many kills interrupt
/// the writing of one.
#[test]
fn a_killed_run_resumes_to_the_same_result() {
    let wanted: usize = std::env::var("NCLT_KILLS").map_or(12, |kills| kills.parse().expect("a number"));
    let expected = Left::of_an_uninterrupted_run();
    let started = Instant::now();
    stdout(&nclt(tempfile::tempdir().unwrap().path(), &args(&EACH_STEP)));
    let whole = started.elapsed();
    let (mut kills, mut continued, mut state) = (0, 0, 7u64);
    while kills < wanted {
        let dir = tempfile::tempdir().unwrap();
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let patience = whole.mul_f64((state >> 33) as f64 / f64::from(1u32 << 31));
            let mut child = start(dir.path(), &args(&EACH_STEP));
            let started = Instant::now();
            while kills >= wanted || started.elapsed() < patience {
                if child.try_wait().unwrap().is_some() {
                    break;
                }
                thread::sleep(Duration::from_millis(1));
            }
            if child.try_wait().unwrap().is_some() {
                let output = child.wait_with_output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{said}");
                continued += usize::from(said.contains("resuming at "));
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        Left::by(dir.path()).assert_is(expected);
    }
    assert!(continued > 0, "no run resumed from a checkpoint");
}

#[cfg(unix)]
#[test]
fn signals_write_a_checkpoint_and_print_the_resume_command() {
    let expected = Left::of_an_uninterrupted_run();
    for signal in ["-INT", "-TERM"] {
        let dir = tempfile::tempdir().unwrap();
        // The interval is so long that only the signal can cause a checkpoint.
        let child = start(dir.path(), &args(&["--checkpoint-every", "60min", "--threads", "2"]));
        let log = |run: &Path| fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
        wait_until(dir.path(), |run| log(run).contains("epoch_finished"));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let message = String::from_utf8(output.stderr).unwrap();
        let run = run_dir(dir.path());
        assert_eq!(checkpoints(&run).len(), 1, "{message}");

        let command = message.lines().find_map(|line| line.trim().split_once(" train --resume "));
        let (program, words) = command.unwrap_or_else(|| panic!("no command in {message}"));
        assert_eq!(program, env!("CARGO_BIN_EXE_nclt"));
        assert!(
            words.ends_with(" --threads 2 --checkpoint-every 60min"),
            "the resume command lacks the original options: {words}"
        );
        let words: Vec<&str> = ["train", "--resume"].into_iter().chain(words.split(' ')).collect();
        let output = nclt(dir.path(), &words);
        assert!(String::from_utf8_lossy(&output.stderr).contains("resuming at representation"));
        stdout(&output);
        Left::by(dir.path()).assert_is(expected);
    }
}

/// As under `nohup`.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_ignored_at_startup_stays_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let words = args(&[]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_nclt")]).args(&words);
    shell.current_dir(dir.path()).env("NCLT_DATA_DIR", dir.path().join("downloads"));
    let child = shell.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let log = |run: &Path| fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    wait_until(dir.path(), |run| log(run).contains("epoch_finished"));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Left::by(dir.path()).assert_is(Left::of_an_uninterrupted_run());
}

/// A broken pipe on standard error must not replace the exit code of an interrupted run.
#[cfg(unix)]
#[test]
fn closed_standard_error_keeps_the_exit_code_of_an_interrupted_run() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(dir.path(), &args(&["--checkpoint-every", "60min"]));
    let log = |run: &Path| fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
    wait_until(dir.path(), |run| log(run).contains("epoch_finished"));
    drop(child.stderr.take());
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_damaged_checkpoint_is_reported_and_skipped() {
    let expected = Left::of_an_uninterrupted_run();
    let dir = killed_run();
    let newest = checkpoints(&run_dir(dir.path())).pop().unwrap();
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let output = nclt(dir.path(), &args(&[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let name = newest.file_name().unwrap().to_string_lossy().into_owned();
    assert!(said.contains(&name) && said.contains("is damaged") && said.contains("resuming at"), "{said}");
    Left::by(dir.path()).assert_is(expected);
}

#[test]
fn a_second_process_learns_who_holds_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path(), &args(&EACH_STEP));
    wait_until(dir.path(), |run| !checkpoints(run).is_empty());
    let message = failure(&nclt(dir.path(), &args(&[])));
    let who = format!("is being worked on by process {} on", first.id());
    let until = "; it is free again when that process ends\n";
    assert!(message.contains(&who) && message.contains(until), "{message}");
    first.kill().unwrap();
    first.wait().unwrap();
    // A lock whose holder died on this machine is free immediately.
    stdout(&nclt(dir.path(), &args(&[])));
}

#[test]
fn a_finished_run_prints_its_result_and_repeats_only_with_fresh() {
    let dir = tempfile::tempdir().unwrap();
    let run = || args(&["--json"]);
    let first = last_line(&nclt(dir.path(), &run()));
    let again = nclt(dir.path(), &run());
    assert!(String::from_utf8_lossy(&again.stderr).contains("already finished"));
    assert_eq!(last_line(&again), first, "the recorded wall times are printed");
    let repeated = nclt(dir.path(), &args(&["--json", "--fresh"]));
    assert!(!String::from_utf8_lossy(&repeated.stderr).contains("already finished"));
    let repeated = last_line(&repeated);
    assert_ne!(repeated["timing"], first["timing"]);
    assert_eq!(timeless(repeated), timeless(first));
    // --resume takes the configuration stored in the directory.
    let run = run_dir(dir.path());
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replacen("seed = 0", "seed = 1", 1)).unwrap();
    let fresh = ["train", "--resume", run.to_str().unwrap(), "--fresh", "--json"];
    assert_eq!(last_line(&nclt(dir.path(), &fresh))["seed"], 1);
}
