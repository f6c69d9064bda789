//! Start decisions for all states of a run directory.

use std::{fs, path::Path};

use nc_data::Profile;

use super::*;
use crate::{
    BackboneKind, CheckpointEvery, Experiment, Observer, RunOptions, ValidExperiment, presets,
    run::{request::Request, train::train},
};

fn experiment(method: &str) -> Experiment {
    let mut experiment = presets::find(&format!("fashion-mnist-lt/{method}")).unwrap();
    experiment.data.profile = Profile::Balanced { per_class: Some(9) };
    experiment.model.backbone = BackboneKind::ResNet8;
    experiment.scale_epochs(1);
    for phase in &mut experiment.phases {
        phase.batch_size = 30;
    }
    experiment
}

/// Stops a run after the second of three steps.
struct StopAfterTwo(usize);

impl Observer for StopAfterTwo {
    fn event(&mut self, _: &Event) {}

    fn wants_to_stop(&mut self) -> bool {
        self.0 += 1;
        self.0 == 2
    }
}

/// Directories of earlier runs.
struct Left {
    root: tempfile::TempDir,
    /// Result of the finished run of `ce`.
    result: RunResult,
}

impl Left {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let options = |name: &str| RunOptions {
            directory: Some(root.path().join(name)),
            checkpoint_every: CheckpointEvery::Steps(1),
            ..RunOptions::default()
        };
        let ce = ValidExperiment::try_from(experiment("ce")).unwrap();
        let result = train(&ce, &options("finished"), &mut ()).unwrap().result;
        let stopped = train(&ce, &options("stopped"), &mut StopAfterTwo(0));
        assert!(matches!(stopped, Err(Error::Stopped { .. })), "{stopped:?}");
        Self { root, result }
    }

    /// Copies the directory `name` of an earlier run to `path`.
    fn copy(&self, name: &str, path: &Path) {
        fs::create_dir_all(path).unwrap();
        for entry in fs::read_dir(self.root.path().join(name)).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, path.join(from.file_name().unwrap())).unwrap();
        }
    }
}

/// A run directory in its own parent, and the parameters of a request.
struct Case<'a> {
    left: &'a Left,
    run: RunDir,
    method: &'static str,
    test_hash: String,
    seed: u64,
    fits: bool,
    fresh: bool,
}

impl Case<'_> {
    fn newest_checkpoint(&self) -> PathBuf {
        self.run.checkpoints().unwrap().remove(0)
    }

    /// Copies the finished run of `ce` next to this one, under a name that ends in its hash.
    fn finished_beside(&self) {
        let name = format!("ce-{}", &self.left.result.run_hash[..8]);
        self.left.copy("finished", &self.run.path().with_file_name(name));
    }

    /// The decision as text, and the number of skipped checkpoints.
    fn decide(&self) -> (String, usize) {
        let experiment = Experiment { seed: self.seed, ..experiment(self.method) };
        let hash_of = |experiment: &Experiment| experiment.hash(&self.left.result.data.train_hash);
        let hash = hash_of(&experiment).unwrap();
        let request = Request {
            directory: &self.run,
            experiment: &experiment,
            hash: &hash,
            test_hash: &self.test_hash,
            hash_of: &hash_of,
            load: &|_| self.fits,
            fresh: self.fresh,
        };
        let mut skipped = 0;
        let before = listing(self.run.path());
        let decided = match Start::decide(&request, &mut |_| skipped += 1) {
            Ok(Start::Fresh) => "fresh".to_owned(),
            Ok(Start::Continued(continuation)) => format!("continued after {}", continuation.phases),
            Ok(Start::Interrupted(interrupted)) => format!("interrupted at {}", interrupted.state.steps),
            Ok(Start::Finished(_)) => "finished".to_owned(),
            Err(Error::OtherRun { .. }) => "other run".to_owned(),
            Err(Error::OtherTestImages { .. }) => "other images".to_owned(),
            Err(Error::WeightsAlone { .. }) => "weights alone".to_owned(),
            Err(Error::Record(nc_record::Error::Version { .. })) => "version".to_owned(),
            Err(Error::Record(nc_record::Error::Malformed { .. })) => "malformed".to_owned(),
            Err(Error::Record(nc_record::Error::Damaged { .. })) => "damaged".to_owned(),
            Err(Error::Record(nc_record::Error::Io { .. })) => "unreadable".to_owned(),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(listing(self.run.path()), before, "a decision changes no file");
        (decided, skipped)
    }
}

/// Files with their lengths.
fn listing(directory: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    files.sort();
    files
}

fn replace(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn directory_contents_decide_the_start() {
    const EVENTS: &str = RunDir::EVENTS;
    const RESULT: &str = RunDir::RESULT;
    type Arrange = fn(&mut Case<'_>);
    // Name, earlier run, changes to its directory, decision, number of skipped checkpoints.
    let cases: &[(&str, &str, Arrange, &str, usize)] = &[
        ("nothing", "", |_| {}, "fresh", 0),
        ("a result", "finished", |_| {}, "finished", 0),
        ("a result, --fresh", "finished", |case| case.fresh = true, "fresh", 0),
        ("a result of another seed", "finished", |case| case.seed = 1, "other run", 0),
        ("a result, other test images", "finished", |case| case.test_hash = "0".into(), "other images", 0),
        (
            "a result of another format",
            "finished",
            |case| {
                replace(&case.run.path().join(RESULT), "\"format_version\": ", "\"format_version\": 9");
            },
            "version",
            0,
        ),
        (
            "half a result",
            "finished",
            |case| {
                let path = case.run.path().join(RESULT);
                let text = fs::read_to_string(&path).unwrap();
                fs::write(path, &text[..text.len() / 2]).unwrap();
            },
            "malformed",
            0,
        ),
        ("checkpoints", "stopped", |_| {}, "interrupted at 2", 0),
        ("checkpoints, --fresh", "stopped", |case| case.fresh = true, "fresh", 0),
        ("checkpoints of another seed", "stopped", |case| case.seed = 1, "other run", 0),
        ("checkpoints, other test images", "stopped", |case| case.test_hash = "0".into(), "other images", 0),
        (
            "a damaged checkpoint",
            "stopped",
            |case| fs::write(case.newest_checkpoint(), "damaged").unwrap(),
            "interrupted at 1",
            1,
        ),
        (
            "two damaged checkpoints",
            "stopped",
            |case| {
                for path in case.run.checkpoints().unwrap() {
                    fs::write(path, "damaged").unwrap();
                }
            },
            "fresh",
            2,
        ),
        (
            "damaged checkpoints and a finished first phase",
            "stopped",
            |case| {
                case.method = "ce+crt";
                for path in case.run.checkpoints().unwrap() {
                    fs::write(path, "damaged").unwrap();
                }
                case.finished_beside();
            },
            "continued after 1",
            2,
        ),
        (
            "checkpoints without their events",
            "stopped",
            |case| fs::remove_file(case.run.path().join(EVENTS)).unwrap(),
            "fresh",
            2,
        ),
        (
            "checkpoints with half of the events",
            "stopped",
            |case| {
                let log = fs::File::options().write(true).open(case.run.path().join(EVENTS)).unwrap();
                log.set_len(10).unwrap();
            },
            "fresh",
            2,
        ),
        (
            "a temporarily unreadable log",
            "stopped",
            |case| {
                fs::remove_file(case.run.path().join(EVENTS)).unwrap();
                fs::create_dir(case.run.path().join(EVENTS)).unwrap();
            },
            "unreadable",
            0,
        ),
        (
            "a finished first phase",
            "",
            |case| (case.method = "ce+crt", case.finished_beside()).1,
            "continued after 1",
            0,
        ),
        (
            "a finished first phase, --fresh",
            "",
            |case| {
                (case.method, case.fresh) = ("ce+crt", true);
                case.finished_beside();
            },
            "fresh",
            0,
        ),
        (
            "a finished first phase on other test images",
            "",
            |case| {
                (case.method, case.test_hash) = ("ce+crt", "0".into());
                case.finished_beside();
            },
            "fresh",
            0,
        ),
        (
            "a finished first phase whose weights do not fit",
            "",
            |case| {
                (case.method, case.fits) = ("ce+crt", false);
                case.finished_beside();
            },
            "fresh",
            0,
        ),
        (
            "a finished first phase of another seed",
            "",
            |case| {
                (case.method, case.seed) = ("ce+crt", 1);
                case.finished_beside();
            },
            "fresh",
            0,
        ),
        (
            "weights without anything to resume from",
            "finished",
            |case| fs::remove_file(case.run.path().join(RESULT)).unwrap(),
            "weights alone",
            0,
        ),
        (
            "weights of a run that only adjusts, and its log",
            "finished",
            |case| {
                case.method = "ce+ncm";
                fs::remove_file(case.run.path().join(RESULT)).unwrap();
                case.finished_beside();
            },
            "continued after 1",
            0,
        ),
        (
            "weights of a run that only adjusts, without a log",
            "finished",
            |case| {
                case.method = "ce+ncm";
                fs::remove_file(case.run.path().join(RESULT)).unwrap();
                fs::remove_file(case.run.path().join(EVENTS)).unwrap();
                case.finished_beside();
            },
            "weights alone",
            0,
        ),
    ];
    let left = Left::new();
    for (name, earlier, arrange, decided, skipped) in cases {
        let root = tempfile::tempdir().unwrap();
        let run = RunDir::open(root.path().join("run")).unwrap();
        if !earlier.is_empty() {
            left.copy(earlier, run.path());
        }
        let test_hash = left.result.data.test_hash.clone();
        let mut case = Case { left: &left, run, method: "ce", test_hash, seed: 0, fits: true, fresh: false };
        arrange(&mut case);
        assert_eq!(case.decide(), ((*decided).to_owned(), *skipped), "{name}");
    }
}

#[test]
fn checkpoints_of_nonexistent_phases_are_rejected() {
    let left = Left::new();
    let root = tempfile::tempdir().unwrap();
    let run = RunDir::open(root.path().join("run")).unwrap();
    left.copy("stopped", run.path());
    for (steps, path) in [(2, 0), (1, 1)].map(|(steps, at)| (steps, run.checkpoints().unwrap()[at].clone())) {
        let Checkpoint { state, tensors } = Checkpoint::<State>::read(&path).unwrap();
        run.write_checkpoint(steps, &Checkpoint { state: State { phase: 1, ..state }, tensors }).unwrap();
    }
    let test_hash = left.result.data.test_hash.clone();
    let case = Case { left: &left, run, method: "ce", test_hash, seed: 0, fits: true, fresh: false };
    assert_eq!(case.decide(), ("damaged".to_owned(), 0));
}
