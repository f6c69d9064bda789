//! A run that is killed, stopped, damaged or disturbed, and goes on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::run::{failure, last_line, nclt, run_dir, small, stdout};

/// A run with two phases, L_W and L_B, class weights, mix-up, validation and several evaluations.
fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "--epochs=5",
        "--set=evaluation.every_epochs=2",
        "--set=data.validation.fraction=0.02",
        // Of 40 epochs; the centres then start at class means.
        "--set=phases.representation.objective.neural_collapse.start_epoch=16",
        "--set=phases.representation.objective.neural_collapse.centers.init=class-means",
    ];
    small(&[&own, more].concat())
}

const EACH_STEP: [&str; 2] = ["--checkpoint-every", "1steps"];

fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nclt"));
    command.args(args).current_dir(dir).env("NCLT_DATA_DIR", dir.join("downloads"));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("nclt can be started")
}

/// What a run leaves, without wall times.
#[derive(PartialEq)]
struct Left {
    weights: Vec<u8>,
    selected: Vec<u8>,
    result: Value,
    events: Vec<Value>,
}

impl Left {
    fn by(dir: &Path) -> Self {
        let run = run_dir(dir);
        let read = |name: &str| fs::read(run.join(name)).unwrap();
        let events = String::from_utf8(read("events.jsonl")).unwrap();
        let mut files: Vec<_> = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        files.sort();
        let expected = [
            "claim.lock",
            "config.toml",
            "events.jsonl",
            "events.out.tfevents.0.nclt",
            "projection.json",
            "report.html",
            "result.json",
            "weights-selected.safetensors",
            "weights.safetensors",
        ];
        assert_eq!(files, expected, "a finished run needs nothing else");
        Self {
            weights: read("weights.safetensors"),
            selected: read("weights-selected.safetensors"),
            result: timeless(serde_json::from_slice(&read("result.json")).unwrap()),
            events: events.lines().map(|line| timeless(serde_json::from_str(line).unwrap())).collect(),
        }
    }

    fn of_an_uninterrupted_run() -> &'static Self {
        static LEFT: OnceLock<Left> = OnceLock::new();
        LEFT.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            stdout(&nclt(dir.path(), &args(&[])));
            Self::by(dir.path())
        })
    }

    fn assert_is(&self, other: &Self) {
        assert_eq!(self.events, other.events);
        assert_eq!(self.result, other.result);
        assert!(self.weights == other.weights, "the weights differ");
        assert!(self.selected == other.selected, "the selected weights differ");
    }
}

fn timeless(mut value: Value) -> Value {
    value.as_object_mut().unwrap().remove("timing");
    value
}

/// The checkpoints of a run, oldest first.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("checkpoint-") && name.ends_with(".safetensors")
    });
    paths.sort();
    paths
}

/// Waits until the run started in `dir` has a directory of which `condition` holds.
fn wait_until(dir: &Path, condition: impl Fn(&Path) -> bool) {
    let started = Instant::now();
    let begun = || fs::read_dir(dir.join("runs")).ok()?.next()?.ok();
    while !begun().is_some_and(|run| condition(&run.path())) {
        assert!(started.elapsed() < Duration::from_mins(2), "it does not come to that");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A run that was killed once it had at least two checkpoints.
fn killed_run() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(dir.path(), &args(&EACH_STEP));
    wait_until(dir.path(), |run| checkpoints(run).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    dir
}

/// Kills as many processes as `NCLT_KILLS` says (default 12), at moments all over the run. With a checkpoint after
/// each step, many of them fall into the writing of one.
#[test]
fn a_run_killed_at_any_moment_ends_as_if_it_had_not_been() {
    let wanted: usize = std::env::var("NCLT_KILLS").map_or(12, |kills| kills.parse().expect("a number"));
    let expected = Left::of_an_uninterrupted_run();
    let (mut kills, mut runs, mut state) = (0, 0, 7u64);
    while kills < wanted {
        let dir = tempfile::tempdir().unwrap();
        loop {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let patience = Duration::from_millis((state >> 33) % 2000);
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
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                break;
            }
            child.kill().unwrap();
            child.wait().unwrap();
            kills += 1;
        }
        Left::by(dir.path()).assert_is(expected);
        runs += 1;
    }
    assert!(kills >= wanted && runs > 0);
}

#[cfg(unix)]
#[test]
fn signals_end_a_run_with_a_checkpoint_and_the_command_that_goes_on() {
    let expected = Left::of_an_uninterrupted_run();
    for signal in ["-INT", "-TERM"] {
        let dir = tempfile::tempdir().unwrap();
        // The interval is so long that only the signal can be the reason of a checkpoint.
        let child = start(dir.path(), &args(&["--checkpoint-every", "60min"]));
        let log = |run: &Path| fs::read_to_string(run.join("events.jsonl")).unwrap_or_default();
        wait_until(dir.path(), |run| log(run).contains("epoch_finished"));
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130));
        let message = String::from_utf8(output.stderr).unwrap();
        let run = run_dir(dir.path());
        assert_eq!(checkpoints(&run).len(), 1, "{message}");

        let command = message.lines().find_map(|line| line.trim().strip_prefix("nclt train --resume "));
        let resume = command.unwrap_or_else(|| panic!("no command in {message}"));
        let output = nclt(dir.path(), &["train", "--resume", resume]);
        assert!(String::from_utf8_lossy(&output.stderr).contains("goes on with representation"));
        stdout(&output);
        Left::by(dir.path()).assert_is(expected);
    }
}

#[test]
fn a_damaged_checkpoint_is_told_and_the_one_before_used() {
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
    assert!(said.contains(&name) && said.contains("is damaged") && said.contains("goes on with"), "{said}");
    Left::by(dir.path()).assert_is(expected);
}

#[test]
fn a_run_without_a_good_checkpoint_starts_again() {
    let expected = Left::of_an_uninterrupted_run();
    let dir = killed_run();
    let torn = checkpoints(&run_dir(dir.path()));
    for checkpoint in &torn {
        fs::write(checkpoint, "torn").unwrap();
    }
    let output = nclt(dir.path(), &args(&[]));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.matches("is damaged").count() == torn.len() && !said.contains("goes on with"), "{said}");
    Left::by(dir.path()).assert_is(expected);
}

#[test]
fn a_second_process_is_refused_and_told_who_works() {
    let dir = tempfile::tempdir().unwrap();
    let mut first = start(dir.path(), &args(&EACH_STEP));
    wait_until(dir.path(), |run| !checkpoints(run).is_empty());
    let message = failure(&nclt(dir.path(), &args(&[])));
    let who = format!("is being worked on by process {} on", first.id());
    assert!(message.contains(&who) && message.contains("60 s"), "{message}");
    first.kill().unwrap();
    first.wait().unwrap();
    // Of a holder that died on this machine nothing remains to wait for.
    stdout(&nclt(dir.path(), &args(&[])));
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_one_before() {
    let expected = Left::of_an_uninterrupted_run();
    let dir = killed_run();
    let run = run_dir(dir.path());
    let before = checkpoints(&run);
    let number: u64 = {
        let name = before.last().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        name.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
    };
    // A directory in the place of the file.
    let obstacle = run.join(format!("checkpoint-{:09}.safetensors", number + 1));
    fs::create_dir(&obstacle).unwrap();
    let message = failure(&nclt(dir.path(), &args(&EACH_STEP)));
    assert!(message.contains("cannot write") && message.contains("checkpoint-"), "{message}");
    fs::remove_dir(&obstacle).unwrap();
    assert_eq!(checkpoints(&run), before);
    stdout(&nclt(dir.path(), &args(&[])));
    Left::by(dir.path()).assert_is(expected);
}

#[test]
fn a_finished_run_is_shown_and_repeated_only_if_that_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let run = || args(&["--json"]);
    let first = last_line(&nclt(dir.path(), &run()));
    let again = nclt(dir.path(), &run());
    assert!(String::from_utf8_lossy(&again.stderr).contains("was finished before"));
    assert_eq!(last_line(&again), first, "the wall times, too, are those of the run");
    let repeated = nclt(dir.path(), &args(&["--json", "--fresh"]));
    assert!(!String::from_utf8_lossy(&repeated.stderr).contains("was finished before"));
    let repeated = last_line(&repeated);
    assert_ne!(repeated["timing"], first["timing"]);
    assert_eq!(timeless(repeated), timeless(first));
}

#[test]
fn records_of_another_version_or_run_are_refused() {
    let dir = killed_run();
    let run = run_dir(dir.path());
    let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
    let newer = events.replacen("\"format_version\":1", "\"format_version\":9", 1);
    fs::write(run.join("events.jsonl"), newer).unwrap();
    let message = failure(&nclt(dir.path(), &args(&[])));
    assert!(message.contains("events.jsonl has format version 9"), "{message}");
    fs::write(run.join("events.jsonl"), events).unwrap();

    // The configuration of a run decides what it is: its checkpoints are of no use to another.
    let config = fs::read_to_string(run.join("config.toml")).unwrap();
    fs::write(run.join("config.toml"), config.replacen("seed = 0", "seed = 1", 1)).unwrap();
    let before = fs::read(run.join("events.jsonl")).unwrap();
    let message = failure(&nclt(dir.path(), &["train", "--resume", run.to_str().unwrap()]));
    assert!(message.contains("belongs to another run"), "{message}");
    assert!(fs::read(run.join("events.jsonl")).unwrap() == before, "a refusal changes nothing");
}

#[test]
fn a_run_that_diverges_names_its_last_good_checkpoint() {
    let dir = tempfile::tempdir().unwrap();
    let rate = "phases.representation.optimizer.learning_rate=1e12";
    let more = [
        "--set",
        rate,
        "--set=phases.representation.schedule.warmup_epochs=0",
        "--set=phases.representation.objective.neural_collapse.start_epoch=0",
    ];
    let message = failure(&nclt(dir.path(), &args(&[&more[..], &EACH_STEP].concat())));
    for word in ["running_var is no longer finite", "supervised", "L_W", "step", "learning rate", "clip_norm"]
    {
        assert!(message.contains(word), "no {word:?} in {message}");
    }
    let run = run_dir(dir.path());
    let newest = checkpoints(&run).pop().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    assert!(newest.is_some_and(|newest| message.contains(&newest)), "{message}");
}

/// Batch norm hides weights without measure from the loss, but not from a checkpoint, nor from the end of an epoch.
#[test]
fn a_checkpoint_holds_finite_numbers_only() {
    let dir = tempfile::tempdir().unwrap();
    let rate = "phases.representation.optimizer.learning_rate=1e12";
    let more = ["--set", rate, "--set=phases.representation.schedule.warmup_epochs=0"];
    let two_steps_an_epoch =
        [&more[..], &["--set=data.profile={kind=\"exponential\", ratio=10, largest=14}"]].concat();
    let message = failure(&nclt(tempfile::tempdir().unwrap().path(), &args(&two_steps_an_epoch)));
    assert!(message.contains("running_var is no longer finite"), "{message}");

    let message = failure(&nclt(dir.path(), &args(&[&more[..], &EACH_STEP].concat())));
    assert!(message.contains("running_var is no longer finite"), "{message}");
    for path in checkpoints(&run_dir(dir.path())) {
        let tensors = candle_core::safetensors::load(&path, &candle_core::Device::Cpu).unwrap();
        let finite = |tensor: &candle_core::Tensor| {
            let values = tensor.flatten_all().unwrap().to_vec1::<f32>().unwrap();
            values.iter().all(|value| value.is_finite())
        };
        assert!(tensors.values().all(finite), "{}", path.display());
    }
}

#[test]
fn intervals_are_times_or_steps() {
    let dir = tempfile::tempdir().unwrap();
    for wrong in ["0steps", "5", "min", "-1min", "1.5steps", "5h"] {
        let message = failure(&nclt(dir.path(), &args(&[&format!("--checkpoint-every={wrong}")])));
        assert!(message.contains("5min or 200steps"), "{wrong}: {message}");
    }
}
