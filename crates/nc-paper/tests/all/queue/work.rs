//! Running the queue.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use nc_paper::{Job, PaperTable, PlannedRuns, Records, Scale, fill_tables, write_reports};
use nc_record::{Claim, Event, Rhythm, RunDir};
use nc_train::{
    DataSource, Experiment, Observer, RunOptions,
    queue::{Queue, Reporter, Runs},
};

use super::support::{FEW, Listener, plan, the_record, work};

#[test]
fn each_run_is_trained_once_and_fills_the_tables() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], FEW, Scale::Smoke).unwrap();
    let (ended, said) = work(&plan, results.path(), Some(1));
    assert_eq!((ended.done, ended.missing), (1, plan.jobs.len() - 1), "{said:?}");
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing), (plan.jobs.len() - 1, 0), "{said:?}");
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing, said.len()), (0, 0, 0));

    let records = Records::read(results.path(), Scale::Smoke).unwrap();
    let tables = fill_tables(&PaperTable::all().unwrap(), &records, Scale::Smoke).unwrap();
    let table = tables.iter().find(|table| table.id == "3").unwrap();
    let row = |name: &str| table.rows.iter().find(|row| row.name == name).unwrap();
    for job in plan.jobs.iter().filter(|job| !job.preset.contains("paper-text")) {
        let record = records.get(&job.key).unwrap();
        let name = if job.preset.ends_with("crt") { "NC-DRW-cRT" } else { "NC-DRW" };
        let cell = &row(name).cells[0];
        assert_eq!(cell.mean(), Some(100.0 * record.accuracy.top1));
        assert_eq!(cell.runs[0].provenance.subset_hash, record.data.train_hash);
        assert!(record.config.contains("[[phases]]") && record.geometry.norms.len() == 10);
    }
    assert!(row("CE").cells[0].runs.is_empty() && row("CE").cells[0].published == Some(70.4));
    for run in fs::read_dir(results.path().join("runs/smoke")).unwrap().map(|entry| entry.unwrap().path()) {
        assert!(!run.is_dir() || run.join("report.html").exists(), "{} has no report", run.display());
    }
    write_reports(results.path(), Scale::Smoke).unwrap();
    let markdown = fs::read_to_string(results.path().join("smoke/tables.md")).unwrap();
    assert!(
        markdown.lines().any(|line| line.starts_with("| NC-DRW [") && line.contains("] | 81.9 | ")),
        "{markdown}"
    );
    // The reports are not read as records.
    assert_eq!(Records::read(results.path(), Scale::Smoke).unwrap(), records);
}

#[test]
fn two_queues_share_the_runs() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "*/cifar10-lt-r100/ce*", Scale::Smoke).unwrap();
    let (a, b) = std::thread::scope(|scope| {
        let workers = [(); 2].map(|()| scope.spawn(|| work(&plan, results.path(), None)));
        let [a, b] = workers.map(|worker| worker.join().unwrap());
        (a, b)
    });
    assert_eq!(a.0.done + b.0.done, plan.jobs.len(), "{:?} {:?}", a.1, b.1);
    assert_eq!((a.0.missing, b.0.missing), (0, 0));
}

fn change(job: &mut Job, change: impl FnOnce(&mut Experiment)) {
    let mut experiment = job.experiment.clone().into_inner();
    change(&mut experiment);
    job.experiment = experiment.try_into().unwrap();
}

#[test]
fn a_failed_run_is_reported_and_the_others_finish() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["7"], "*/cifar10-lt-r100/ce-drw-mixup+*", Scale::Smoke).unwrap();
    plan.jobs.truncate(2);
    // CIFAR-10 is not available without a data directory.
    change(&mut plan.jobs[0], |experiment| experiment.data.source = DataSource::Cifar10);
    let (ended, said) = work(&plan, results.path(), None);
    assert_eq!((ended.done, ended.missing, ended.failed.len()), (1, 1, 1), "{said:?}");
    assert!(ended.failed[0].1.contains("--data-dir"), "{}", ended.failed[0].1);
}

#[test]
fn an_incomplete_new_record_is_a_failure() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["6"], "table6/cifar10-lt-r100/ce-drw-mixup", Scale::Smoke).unwrap();
    // Two jobs with the same key need different noise levels, which no single record has.
    let noise = [vec![0.1], vec![0.2]];
    plan.jobs = noise.map(|noise| Job { noise, ..plan.jobs[0].clone() }).to_vec();
    let mut listener = Impatient::default();
    let directories = BTreeMap::new();
    let ended =
        Queue::new(PlannedRuns { plan: &plan, results: results.path() }, &directories, RunOptions::default())
            .run(None, &mut listener)
            .unwrap();
    assert_eq!((ended.done, ended.missing, ended.failed.len()), (1, 1, 1), "{:?}", listener.0.said);
    let message = "cifar10-lt-r100/ce-drw-mixup seed 0: its new record lacks figures";
    assert!(ended.failed[0].1.starts_with(message), "{}", ended.failed[0].1);
}

/// Stops a queue that does not terminate.
#[derive(Default)]
struct Impatient(Listener);

impl Reporter for Impatient {
    fn say(&mut self, line: &str) {
        self.0.say(line);
    }

    fn observer(&mut self, experiment: &Experiment) -> Box<dyn Observer + '_> {
        self.0.observer(experiment)
    }

    fn wants_to_stop(&self) -> bool {
        self.0.said.len() > 10
    }
}

/// Simulates another process that locks a run as soon as it is trained.
struct Thief {
    runs: PathBuf,
    said: Vec<String>,
    taken: Rc<RefCell<Option<Claim>>>,
}

impl Reporter for Thief {
    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }

    fn observer(&mut self, _: &Experiment) -> Box<dyn Observer + '_> {
        Box::new(Waiting { runs: &self.runs, taken: Rc::clone(&self.taken) })
    }

    fn wants_to_stop(&self) -> bool {
        self.taken.borrow().is_some()
    }
}

struct Waiting<'a> {
    runs: &'a Path,
    taken: Rc<RefCell<Option<Claim>>>,
}

impl Observer for Waiting<'_> {
    fn event(&mut self, _: &Event) {}
}

/// Locks the run directory at the end of the run.
impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let run = the_directory(self.runs);
        *self.taken.borrow_mut() = Claim::acquire(&run, Rhythm::default(), |_, _| {}).ok();
    }
}

/// The single directory in `runs`.
fn the_directory(runs: &Path) -> PathBuf {
    let paths = fs::read_dir(runs).unwrap().map(|entry| entry.unwrap().path());
    let mut directories = paths.filter(|path| path.is_dir());
    directories.next().unwrap()
}

#[test]
fn a_run_locked_by_another_process_is_not_reported_as_recorded() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    let runs = results.path().join("runs/smoke");
    let mut thief = Thief { runs, said: vec![], taken: Rc::default() };
    let directories = BTreeMap::new();
    let mut queue =
        Queue::new(PlannedRuns { plan: &plan, results: results.path() }, &directories, RunOptions::default());
    let ended = queue.run(None, &mut thief).unwrap();
    assert!(thief.taken.borrow().is_some());
    assert_eq!((ended.done, ended.missing), (1, 1), "{:?}", thief.said);
    assert!(thief.said[1].ends_with(": left to another process, 1 missing"), "{:?}", thief.said);
}

/// Releases the lock on a run when the queue waits for it.
struct Patient {
    claim: Option<Claim>,
    said: Vec<String>,
}

impl Reporter for Patient {
    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
        if line.starts_with("waiting for") {
            self.claim = None;
        }
    }

    fn observer(&mut self, _: &Experiment) -> Box<dyn Observer + '_> {
        assert!(self.claim.is_none(), "a locked run was begun");
        Box::new(())
    }

    fn wants_to_stop(&self) -> bool {
        false
    }
}

#[test]
fn a_locked_run_is_not_begun_before_it_is_free() {
    let results = tempfile::tempdir().unwrap();
    let plan = plan(&["3"], "table3/cifar10-lt-r100/ce", Scale::Smoke).unwrap();
    work(&plan, results.path(), None);
    let run = the_directory(&results.path().join("runs/smoke"));
    fs::remove_file(the_record(results.path())).unwrap();
    let claim = Claim::acquire(&run, Rhythm::default(), |_, _| {}).unwrap();
    let mut patient = Patient { claim: Some(claim), said: vec![] };
    let directories = BTreeMap::new();
    let planned = PlannedRuns { plan: &plan, results: results.path() };
    let ended = Queue::new(planned, &directories, RunOptions::default()).run(None, &mut patient).unwrap();
    assert_eq!((ended.missing, ended.failed.len()), (0, 0), "{:?}", patient.said);
    assert_eq!(patient.said[0], "waiting for 1 run locked by other processes");
}

#[test]
fn the_estimate_includes_unavailable_first_phases() {
    let results = tempfile::tempdir().unwrap();
    let mut plan = plan(&["3"], "*/cifar10-lt-r100/nc-drw-crt", Scale::Smoke).unwrap();
    work(&plan, results.path(), Some(1));
    change(&mut plan.jobs[1], |experiment| experiment.phases[0].epochs = 10_000);
    let directories = BTreeMap::new();
    let mut queue =
        Queue::new(PlannedRuns { plan: &plan, results: results.path() }, &directories, RunOptions::default());
    let missing = queue.runs().missing().unwrap();
    assert_eq!(missing, [1]);
    let second_phase = queue.estimate(&missing).unwrap();
    // First phases without weights cannot be reused.
    let runs = results.path().join("runs/smoke");
    fs::remove_file(the_directory(&runs).join(RunDir::WEIGHTS)).unwrap();
    assert!(queue.estimate(&missing).unwrap() > 10.0 * second_phase);
    // A fresh clone has only the records.
    fs::remove_dir_all(results.path().join("runs")).unwrap();
    assert_eq!(queue.runs().missing().unwrap(), missing);
    let both = queue.estimate(&missing).unwrap();
    assert!(both > 10.0 * second_phase, "{both} {second_phase}");
}
