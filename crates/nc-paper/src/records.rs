use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use nc_record::{Claim, FORMAT_VERSION, write_atomically};
use nc_train::Experiment;

use crate::{Error, Job, Record, Result, Scale, job::key};

/// The records of one scale.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Records {
    by_key: BTreeMap<String, Record>,
    /// Files of each key.
    files: BTreeMap<String, Vec<PathBuf>>,
}

impl Records {
    /// Directory of the records of `scale`.
    pub(crate) fn directory(results: &Path, scale: Scale) -> PathBuf {
        results.join(scale.name())
    }

    /// Like [`Records::directory`], but creates it if missing.
    pub(crate) fn make_directory(results: &Path, scale: Scale) -> Result<PathBuf> {
        let directory = Self::directory(results, scale);
        match fs::create_dir_all(&directory) {
            Ok(()) => Ok(directory),
            Err(error) => Err(Error::BadRecord { path: directory, reason: error.to_string() }),
        }
    }

    /// Directory of the directories below.
    pub(crate) fn all_runs(results: &Path) -> PathBuf {
        results.join("runs")
    }

    /// Directory of the run directories of `scale`.
    pub(crate) fn runs(results: &Path, scale: Scale) -> PathBuf {
        Self::all_runs(results).join(scale.name())
    }

    /// Reads the records of `scale` below `results`; empty if the directory is missing.
    ///
    /// # Errors
    ///
    /// [`Error::BadRecord`] if the directory or a file cannot be read, or for a record that is malformed, inconsistent,
    /// or of another scale or format version.
    pub fn read(results: &Path, scale: Scale) -> Result<Self> {
        let directory = Self::directory(results, scale);
        let mut records = Self::default();
        let list = |entries: fs::ReadDir| entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>();
        let mut paths: Vec<PathBuf> = match fs::read_dir(&directory).and_then(list) {
            Ok(paths) => paths,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(records),
            Err(error) => return Err(Error::BadRecord { path: directory, reason: error.to_string() }),
        };
        paths.retain(|path| {
            let is_tables = path.file_name().is_some_and(|name| name == TABLES);
            path.extension().is_some_and(|extension| extension == "json") && !is_tables
        });
        paths.sort();
        for path in paths {
            let bad = |reason: String| Error::BadRecord { path: path.clone(), reason };
            let text = match fs::read(&path) {
                // Another process replaced the record by one with another name after the listing.
                Err(error) if error.kind() == ErrorKind::NotFound => continue,
                text => text.map_err(|error| bad(error.to_string()))?,
            };
            let record: Record = serde_json::from_slice(&text).map_err(|error| bad(error.to_string()))?;
            if record.format_version != FORMAT_VERSION {
                return Err(bad(format!(
                    "format version {}, expected {FORMAT_VERSION}",
                    record.format_version
                )));
            }
            if record.scale != scale {
                return Err(bad(format!(
                    "record of {} scale among records of {} scale",
                    record.scale.name(),
                    scale.name()
                )));
            }
            if i64::try_from(record.seed).is_err() {
                let (seed, most) = (record.seed, i64::MAX);
                return Err(bad(format!("seed: expected an integer from 0 to {most}, found {seed}")));
            }
            record.check().map_err(bad)?;
            records.files.entry(record.key.clone()).or_default().push(path.clone());
            // If a renamed experiment has two records, use the more complete one.
            match records.by_key.get(&record.key) {
                Some(other) if other.noise.len() >= record.noise.len() => {}
                _ => {
                    records.by_key.insert(record.key.clone(), record);
                }
            }
        }
        Ok(records)
    }

    /// Writes `record` below `results` and removes older records of the same run. Confirms the `claim` first, because
    /// minutes may have passed since it was acquired.
    pub(crate) fn write(results: &Path, record: &Record, claim: &Claim) -> Result<()> {
        let path = Self::make_directory(results, record.scale)?.join(record.file_name());
        let bad = |reason: String| Error::BadRecord { path: path.clone(), reason };
        let mut text = serde_json::to_vec_pretty(record).map_err(|error| bad(error.to_string()))?;
        text.push(b'\n');
        let records = Self::read(results, record.scale)?;
        claim.confirm()?;
        write_atomically(&path, &text)?;
        for former in records.files(&record.key).iter().filter(|former| **former != path) {
            match fs::remove_file(former) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::BadRecord { path: former.clone(), reason: error.to_string() });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// True if `job` has a complete record.
    pub fn has(&self, job: &Job) -> bool {
        self.get(&job.key).is_some_and(|record| record.completes(job))
    }

    /// Files of the experiment with this [`Job::key`]: several if its preset was renamed.
    pub(crate) fn files(&self, key: &str) -> &[PathBuf] {
        self.files.get(key).map_or(&[], Vec::as_slice)
    }

    /// The record of the experiment with this [`Job::key`].
    pub fn get(&self, key: &str) -> Option<&Record> {
        self.by_key.get(key)
    }

    /// The record of `experiment`.
    pub(crate) fn of(&self, experiment: &Experiment) -> Result<Option<&Record>> {
        Ok(self.get(&key(experiment)?))
    }

    /// All records, in the order of their keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.by_key.values()
    }

    /// Seeds with records, ascending.
    pub(crate) fn seeds(&self) -> Vec<u64> {
        let mut seeds: Vec<u64> = self.by_key.values().map(|record| record.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        seeds
    }
}

/// File name of the tables as JSON, in the directory of the records.
pub(crate) const TABLES: &str = "tables.json";

#[cfg(test)]
mod tests {
    use nc_record::RunDir;
    use nc_train::{
        Observer, RunOptions,
        queue::{Queue, Reporter},
    };

    use super::*;
    use crate::{PaperTable, Plan, PlannedRuns, Selection};

    struct Silent;

    impl Reporter for Silent {
        fn say(&mut self, _: &str) {}

        fn observer(&mut self, _: &Experiment) -> Box<dyn Observer + '_> {
            Box::new(())
        }

        fn wants_to_stop(&self) -> bool {
            false
        }
    }

    fn only_run(results: &Path) -> PathBuf {
        let entries = fs::read_dir(Records::runs(results, Scale::Smoke)).unwrap();
        let mut runs = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        runs.next().unwrap()
    }

    #[test]
    fn a_record_is_not_written_under_a_lost_claim() {
        let results = tempfile::tempdir().unwrap();
        let cells = "table3/cifar10-lt-r100/ce".into();
        let selection =
            Selection { tables: vec![], cells, seeds: vec![], scale: Scale::Smoke, imagenet_lt: false };
        let plan = Plan::new(&PaperTable::all().unwrap(), &[], &selection).unwrap();
        let directories = BTreeMap::new();
        let options = RunOptions::default();
        let mut queue =
            Queue::new(PlannedRuns { plan: &plan, results: results.path() }, &directories, options.clone());
        queue.run(None, &mut Silent).unwrap();
        let records = Records::read(results.path(), Scale::Smoke).unwrap();
        let key = &plan.jobs[0].key;
        let (record, [path]) = (records.get(key).unwrap(), records.files(key)) else { panic!("one file") };
        fs::remove_file(path).unwrap();

        let directory = RunDir::open(only_run(results.path())).unwrap();
        let claim = directory.claim(options.rhythm, |_, _| {}).unwrap();
        fs::write(directory.path().join("claim.json"), "another's").unwrap();
        let lost = Records::write(results.path(), record, &claim);
        assert!(matches!(lost, Err(Error::Record(nc_record::Error::Held { .. }))), "{lost:?}");
        assert!(!path.exists());
        drop(claim);
        fs::remove_file(directory.path().join("claim.json")).unwrap();
        Records::write(results.path(), record, &directory.claim(options.rhythm, |_, _| {}).unwrap()).unwrap();
        assert!(path.exists());
    }
}
