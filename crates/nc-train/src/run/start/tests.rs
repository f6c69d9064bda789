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

impl<'a> Case<'a> {
    /// A copy of the directory `earlier`, or an empty one without a name.
    fn new(left: &'a Left, earlier: &str) -> Self {
        let parent = tempfile::tempdir_in(left.root.path()).unwrap().keep();
        let run = RunDir::open(parent.join("run")).unwrap();
        if !earlier.is_empty() {
            left.copy(earlier, run.path());
        }
        let test_hash = left.result.data.test_hash.clone();
        Self { left, run, method: "ce", test_hash, seed: 0, fits: true, fresh: false }
    }

    /// Trains `method`, next to a copy of the finished run of `ce` under a name that ends in its hash.
    fn beside_ce(self, method: &'static str) -> Self {
        let name = format!("ce-{}", &self.left.result.run_hash[..8]);
        self.left.copy("finished", &self.run.path().with_file_name(name));
        Self { method, ..self }
    }

    /// Damages the newest `count` checkpoints.
    fn damage(self, count: usize) -> Self {
        for path in &self.run.checkpoints().unwrap()[..count] {
            fs::write(path, "damaged").unwrap();
        }
        self
    }

    fn without(self, file: &str) -> Self {
        fs::remove_file(self.run.path().join(file)).unwrap();
        self
    }

    fn edit(self, file: &str, edit: impl FnOnce(&str) -> String) -> Self {
        let path = self.run.path().join(file);
        let text = fs::read_to_string(&path).unwrap();
        let edited = edit(&text);
        assert_ne!(edited, text);
        fs::write(path, edited).unwrap();
        self
    }

    /// The decision and the number of skipped checkpoints as text.
    fn decide(&self) -> String {
        let experiment = Experiment { seed: self.seed, ..experiment(self.method) };
        let hash_of = |experiment: &Experiment| experiment.hash(&self.left.result.data.hash());
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
        if skipped == 0 { decided } else { format!("{decided}, {skipped} skipped") }
    }
}

/// Files with their lengths.
fn listing(directory: &Path) -> Vec<(PathBuf, u64)> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let mut files: Vec<_> = entries.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect();
    files.sort();
    files
}

/// Name, change to the directory of an earlier run, decision.
type Row = (&'static str, fn(Case<'_>) -> Case<'_>, &'static str);

#[test]
fn directory_contents_decide_the_start() {
    const EVENTS: &str = RunDir::EVENTS;
    const RESULT: &str = RunDir::RESULT;
    let left = Left::new();
    let nothing: &[Row] = &[
        ("nothing", |case| case, "fresh"),
        ("phase 1", |case| case.beside_ce("ce+crt"), "continued after 1"),
        ("phase 1, --fresh", |case| Case { fresh: true, ..case.beside_ce("ce+crt") }, "fresh"),
        (
            "phase 1 on other images",
            |case| Case { test_hash: "0".into(), ..case.beside_ce("ce+crt") },
            "fresh",
        ),
        (
            "phase 1 whose weights do not fit",
            |case| Case { fits: false, ..case.beside_ce("ce+crt") },
            "fresh",
        ),
        ("phase 1 of another seed", |case| Case { seed: 1, ..case.beside_ce("ce+crt") }, "fresh"),
    ];
    let finished: &[Row] = &[
        ("a result", |case| case, "finished"),
        ("a result, --fresh", |case| Case { fresh: true, ..case }, "fresh"),
        ("a result of another seed", |case| Case { seed: 1, ..case }, "other run"),
        ("a result, other test images", |case| Case { test_hash: "0".into(), ..case }, "other images"),
        (
            "a result of another format",
            |case| case.edit(RESULT, |text| text.replace("\"format_version\": ", "\"format_version\": 9")),
            "version",
        ),
        ("half a result", |case| case.edit(RESULT, |text| text[..text.len() / 2].to_owned()), "malformed"),
        ("weights without anything to resume from", |case| case.without(RESULT), "weights alone"),
        (
            "weights of a run that only adjusts, and its log",
            |case| case.without(RESULT).beside_ce("ce+ncm"),
            "continued after 1",
        ),
        (
            "weights of a run that only adjusts, without a log",
            |case| case.without(RESULT).without(EVENTS).beside_ce("ce+ncm"),
            "weights alone",
        ),
    ];
    let stopped: &[Row] = &[
        ("checkpoints", |case| case, "interrupted at 2"),
        ("checkpoints, --fresh", |case| Case { fresh: true, ..case }, "fresh"),
        ("checkpoints of another seed", |case| Case { seed: 1, ..case }, "other run"),
        ("checkpoints, other test images", |case| Case { test_hash: "0".into(), ..case }, "other images"),
        ("a damaged checkpoint", |case| case.damage(1), "interrupted at 1, 1 skipped"),
        ("two damaged checkpoints", |case| case.damage(2), "fresh, 2 skipped"),
        (
            "both damaged, and phase 1",
            |case| case.damage(2).beside_ce("ce+crt"),
            "continued after 1, 2 skipped",
        ),
        ("checkpoints without their events", |case| case.without(EVENTS), "fresh, 2 skipped"),
        ("a cut log", |case| case.edit(EVENTS, |text| text[..10].to_owned()), "fresh, 2 skipped"),
        (
            "a temporarily unreadable log",
            |case| {
                let case = case.without(EVENTS);
                fs::create_dir(case.run.path().join(EVENTS)).unwrap();
                case
            },
            "unreadable",
        ),
    ];
    for (earlier, rows) in [("", nothing), ("finished", finished), ("stopped", stopped)] {
        for (name, change, decided) in rows {
            assert_eq!(change(Case::new(&left, earlier)).decide(), *decided, "{name}");
        }
    }
}

#[test]
fn checkpoints_of_nonexistent_phases_are_rejected() {
    let left = Left::new();
    let case = Case::new(&left, "stopped");
    let run = &case.run;
    for (steps, path) in [(2, 0), (1, 1)].map(|(steps, at)| (steps, run.checkpoints().unwrap()[at].clone())) {
        let Checkpoint { state, tensors } = Checkpoint::<State>::read(&path).unwrap();
        run.write_checkpoint(steps, &Checkpoint { state: State { phase: 1, ..state }, tensors }).unwrap();
    }
    assert_eq!(case.decide(), "damaged");
}
