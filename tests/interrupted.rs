//! Helpers that start, watch and kill runs and compare their files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::run::{nclt, run_dir, small, stdout};

/// Arguments of a run with two phases, L_W and L_B, class weights, mix-up, validation and several evaluations.
pub(crate) fn args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let own = [
        "--epochs=5",
        "--set=evaluation.every_epochs=2",
        "--set=data.validation.fraction=0.02",
        // In a preset of 40 epochs; the centres then start at the class means.
        "--set=phases.representation.objective.neural_collapse.start_epoch=16",
        "--set=phases.representation.objective.neural_collapse.centers.init=class-means",
    ];
    small(&[&own, more].concat())
}

pub(crate) const EACH_STEP: [&str; 2] = ["--checkpoint-every", "1steps"];

pub(crate) fn start(dir: &Path, args: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nclt"));
    command.args(args).current_dir(dir).env("NCLT_DATA_DIR", dir.join("downloads"));
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("nclt can be started")
}

/// Files of a finished run, without wall times.
pub(crate) struct Left {
    weights: Vec<u8>,
    selected: Vec<u8>,
    examples: Vec<u8>,
    result: Value,
    events: Vec<Value>,
}

impl Left {
    pub(crate) fn by(dir: &Path) -> Self {
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
            "examples.json",
            "projection.json",
            "report.html",
            "result.json",
            "samples.json",
            "validation.json",
            "weights-selected.safetensors",
            "weights.safetensors",
        ];
        assert_eq!(files, expected, "a finished run has other files");
        Self {
            weights: read("weights.safetensors"),
            selected: read("weights-selected.safetensors"),
            examples: read("examples.json"),
            result: timeless(serde_json::from_slice(&read("result.json")).unwrap()),
            events: events.lines().map(|line| timeless(serde_json::from_str(line).unwrap())).collect(),
        }
    }

    pub(crate) fn of_an_uninterrupted_run() -> &'static Self {
        static LEFT: OnceLock<Left> = OnceLock::new();
        LEFT.get_or_init(|| {
            let dir = tempfile::tempdir().unwrap();
            stdout(&nclt(dir.path(), &args(&[])));
            Self::by(dir.path())
        })
    }

    pub(crate) fn assert_is(&self, other: &Self) {
        assert_eq!(self.events, other.events);
        assert_eq!(self.result, other.result);
        assert!(self.weights == other.weights, "the weights differ");
        assert!(self.selected == other.selected, "the selected weights differ");
        assert!(self.examples == other.examples, "the examples differ");
    }
}

pub(crate) fn timeless(mut value: Value) -> Value {
    let result = value.as_object_mut().unwrap();
    result.remove("timing");
    result.remove("finished");
    // A resumed run may have another command line.
    if let Some(program) = result.get_mut("program") {
        program.as_object_mut().unwrap().remove("command");
    }
    value
}

/// The checkpoints of a run, oldest first.
pub(crate) fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(run).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with("checkpoint-") && name.ends_with(".safetensors")
    });
    paths.sort();
    paths
}

/// Waits until `condition` holds for the directory of the run started in `dir`.
pub(crate) fn wait_until(dir: &Path, condition: impl Fn(&Path) -> bool) {
    let started = Instant::now();
    let begun = || fs::read_dir(dir.join("runs")).ok()?.next()?.ok();
    while !begun().is_some_and(|run| condition(&run.path())) {
        assert!(started.elapsed() < Duration::from_mins(2), "the condition did not hold within two minutes");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A run killed after at least two checkpoints.
pub(crate) fn killed_run() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut child = start(dir.path(), &args(&EACH_STEP));
    wait_until(dir.path(), |run| checkpoints(run).len() >= 2);
    child.kill().unwrap();
    child.wait().unwrap();
    dir
}
