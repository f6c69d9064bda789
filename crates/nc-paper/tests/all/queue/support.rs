//! Helpers to plan and to run a queue without a terminal.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use nc_paper::{PaperFigure, PaperTable, Plan, PlannedRuns, Scale, Selection};
use nc_train::{
    DataSource, Experiment, Observer, RunOptions,
    queue::{Ended, Queue, Reporter},
};

/// The plan of a user without ImageNet-LT.
pub(crate) fn plan(tables: &[&str], cells: &str, scale: Scale) -> nc_paper::Result<Plan> {
    plan_with(false, tables, cells, scale)
}

pub(crate) fn plan_with(
    imagenet_lt: bool,
    tables: &[&str],
    cells: &str,
    scale: Scale,
) -> nc_paper::Result<Plan> {
    let selection = Selection {
        tables: tables.iter().map(ToString::to_string).collect(),
        cells: cells.into(),
        seeds: vec![],
        scale,
        imagenet_lt,
    };
    Plan::new(&PaperTable::all()?, &PaperFigure::all()?, &selection)
}

/// Collects the progress lines of a queue.
#[derive(Default)]
pub(crate) struct Listener {
    pub(crate) said: Vec<String>,
}

impl Reporter for Listener {
    fn say(&mut self, line: &str) {
        self.said.push(line.to_owned());
    }

    fn observer(&mut self, _: &Experiment) -> Box<dyn Observer + '_> {
        Box::new(())
    }

    fn wants_to_stop(&self) -> bool {
        false
    }
}

pub(crate) fn work(plan: &Plan, results: &Path, most: Option<usize>) -> (Ended, Vec<String>) {
    let directories: BTreeMap<DataSource, Option<PathBuf>> = BTreeMap::new();
    let mut listener = Listener::default();
    let mut queue = Queue::new(PlannedRuns { plan, results }, &directories, RunOptions::default());
    let ended = queue.run(most, &mut listener).unwrap();
    (ended, listener.said)
}

pub(crate) const FEW: &str = "*/cifar10-lt-r100/nc-drw*";

/// The single smoke-scale record.
pub(crate) fn the_record(results: &Path) -> PathBuf {
    let entries = fs::read_dir(results.join("smoke")).unwrap().map(|entry| entry.unwrap().path());
    let records: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect();
    assert_eq!(records.len(), 1, "{records:?}");
    records[0].clone()
}

/// Copies the record `from` to `to` with a change.
pub(crate) fn edit(from: &Path, to: &Path, change: impl Fn(&mut serde_json::Value)) {
    let mut record = serde_json::from_slice(&fs::read(from).unwrap()).unwrap();
    change(&mut record);
    fs::write(to, serde_json::to_vec(&record).unwrap()).unwrap();
}
