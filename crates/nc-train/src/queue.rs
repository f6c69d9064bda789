//! A queue of runs.

use std::{collections::BTreeMap, fmt::Display, path::PathBuf, time::Duration};

use nc_data::{LoadProgress, counted};
use nc_record::{Claim, RunDir};

use crate::{
    DataFacts, DataSource, Error, Experiment, Finished, Observer, RunOptions, Speed, ValidExperiment, train,
};

/// A run of a queue.
pub trait QueuedRun {
    /// The experiment.
    fn experiment(&self) -> &ValidExperiment;

    /// Name of the run without its seed, for messages.
    fn name(&self) -> &str;

    /// Identifier, unique in the queue.
    fn key(&self) -> &str;

    /// Key of the run that trains the first phases of this one, if the queue has it.
    fn needs(&self) -> Option<&str>;

    /// Evaluations on the test images after training, for the estimate of time.
    fn evaluations(&self) -> usize {
        0
    }
}

/// The runs of a queue, their directories and their records.
pub trait Runs {
    /// A run.
    type Run: QueuedRun;
    /// Errors of the records.
    type Error: From<Error> + From<nc_record::Error> + Display;

    /// All runs, each after the run that it needs.
    fn runs(&self) -> &[Self::Run];

    /// Positions in [`Runs::runs`] of the runs without a complete record, in order.
    ///
    /// # Errors
    ///
    /// If the records cannot be read.
    fn missing(&self) -> Result<Vec<usize>, Self::Error>;

    /// Directory of `run`, whose hash is `hash`.
    fn directory(&self, run: &Self::Run, hash: &str) -> PathBuf;

    /// Facts of the data of `run`, if they are known already.
    fn facts(&self, run: &Self::Run) -> Option<&DataFacts> {
        let _ = run;
        None
    }

    /// Purpose of `run`, for messages: `for table3/...`.
    fn purpose(&self, run: &Self::Run) -> String;

    /// Records the finished `run`, unless another process has. True if this process recorded it.
    ///
    /// # Errors
    ///
    /// If the record cannot be written.
    fn record(&self, run: &Self::Run, finished: &Finished, options: &RunOptions)
    -> Result<bool, Self::Error>;
}

/// Trains the missing runs, possibly concurrently with other processes on the same directory.
///
/// Each run directory is locked by one process; if it dies, another process resumes from the last checkpoint. A run
/// that shares the first phases of another waits for it and starts from its weights. If that run is recorded but its
/// directory is missing, the first phases are trained again. Each run is recorded as soon as it finishes.
pub struct Queue<'a, R> {
    runs: R,
    /// Data directory of each source; none for built-in data.
    data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>,
    /// Options of all runs; the output directory is ignored.
    options: RunOptions,
    facts: BTreeMap<String, DataFacts>,
    /// Receives the progress of reading images for their facts.
    progress: Box<dyn LoadProgress + Send>,
}

/// Receives the progress of a queue.
pub trait Reporter {
    /// Prints a progress line.
    fn say(&mut self, line: &str);

    /// The observer for the run of `experiment`.
    fn observer(&mut self, experiment: &Experiment) -> Box<dyn Observer + '_>;

    /// True to start no further runs. The current run is stopped by its observer.
    fn wants_to_stop(&self) -> bool;
}

/// Outcome of [`Queue::run`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Number of runs finished by this process.
    pub done: usize,
    /// Number of runs still missing.
    pub missing: usize,
    /// Runs that failed in this process: key and message.
    pub failed: Vec<(String, String)>,
}

impl Ended {
    fn has_failed(&self, key: &str) -> bool {
        self.failed.iter().any(|(failed, _)| failed == key)
    }
}

/// Outcome of a run.
enum Outcome {
    Done {
        /// True if this process trained any part of the run.
        trained: bool,
        /// True if this process recorded it.
        recorded: bool,
    },
    /// Stopped by its observer.
    Stopped,
    /// Locked by another process.
    Held,
}

/// Polling interval while waiting for other processes.
const PATIENCE: Duration = Duration::from_secs(5);

impl<'a, R: Runs> Queue<'a, R> {
    /// Creates a queue. `data_dirs` has the data directory of each source, and `options` the options of all runs,
    /// whose output directory is ignored.
    pub fn new(runs: R, data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>, options: RunOptions) -> Self {
        Self { runs, data_dirs, options, facts: BTreeMap::new(), progress: Box::new(()) }
    }

    /// The same queue with the `progress` of reading the images before the first run.
    #[must_use]
    pub fn with_progress(self, progress: Box<dyn LoadProgress + Send>) -> Self {
        Self { progress, ..self }
    }

    /// The runs.
    pub fn runs(&self) -> &R {
        &self.runs
    }

    /// Estimates the seconds for the runs at `positions` on this machine, from the measured speed of their backbones.
    ///
    /// # Errors
    ///
    /// Those of reading the data.
    pub fn estimate(&mut self, positions: &[usize]) -> Result<f64, R::Error> {
        let mut speeds: BTreeMap<String, Speed> = BTreeMap::new();
        let mut seconds = 0.0;
        for &position in positions {
            let facts = self.facts(position)?;
            let run = &self.runs.runs()[position];
            let experiment = run.experiment();
            let kind = Speed::kind(experiment, &facts);
            let speed = match speeds.get(&kind) {
                Some(&speed) => speed,
                None => Speed::measure(experiment, &facts, &self.options.device)?,
            };
            speeds.insert(kind, speed);
            // First phases are planned before this run or available from an earlier run; else they are trained again.
            let begins = match run.needs().map(str::to_owned) {
                Some(needed) => {
                    let planned = |&position: &usize| self.runs.runs()[position].key() == needed;
                    positions.iter().any(planned) || self.has_run(&needed)?
                }
                None => false,
            };
            let run = &self.runs.runs()[position];
            let experiment = run.experiment();
            let shorter = experiment.shorter().filter(|_| begins);
            let first = shorter.map_or(0, |shorter| shorter.phases.len());
            seconds += speed.seconds(experiment, first, &facts);
            seconds += (run.evaluations() * facts.evaluated_images) as f64 / speed.evaluation;
        }
        Ok(seconds)
    }

    /// Trains the missing runs, at most `most`.
    ///
    /// # Errors
    ///
    /// Errors that affect all runs; failures of single runs are reported in [`Ended`].
    pub fn run(&mut self, most: Option<usize>, reporter: &mut dyn Reporter) -> Result<Ended, R::Error> {
        let mut ended = Ended { done: 0, missing: 0, failed: vec![] };
        let mut waiting = false;
        loop {
            let mut begun = false;
            for (finished, position) in self.finished_first()? {
                if reporter.wants_to_stop() || most.is_some_and(|most| ended.done >= most) {
                    ended.missing = self.runs.missing()?.len();
                    return Ok(ended);
                }
                let run = &self.runs.runs()[position];
                if ended.has_failed(run.key()) || !finished && self.waits(run)? {
                    continue;
                }
                // Training would read the images before it finds the run locked. It reports other errors.
                if self.directory(position).is_ok_and(|directory| Claim::is_held(&directory)) {
                    continue;
                }
                let run = &self.runs.runs()[position];
                let label = format!("{} seed {}", run.name(), run.experiment().seed);
                let key = run.key().to_owned();
                let failure = match self.train(position, &label, reporter) {
                    Ok(Outcome::Held) => continue,
                    Ok(Outcome::Stopped) => {
                        begun = true;
                        continue;
                    }
                    Ok(Outcome::Done { trained, recorded }) => {
                        ended.done += usize::from(trained);
                        let left = self.runs.missing()?;
                        if recorded && left.iter().any(|&left| self.runs.runs()[left].key() == key) {
                            // Repeating the run would loop forever.
                            Some("its new record lacks figures".to_owned())
                        } else {
                            let what = if recorded { "recorded" } else { "left to another process" };
                            reporter.say(&format!("{label}: {what}, {} missing", left.len()));
                            None
                        }
                    }
                    Err(error) => Some(error.to_string()),
                };
                if let Some(failure) = failure {
                    let message = format!("{label}: {failure}");
                    reporter.say(&message);
                    ended.failed.push((key, message));
                }
                begun = true;
                // Re-read the records: this run and other processes may have unblocked runs.
                break;
            }
            if begun {
                waiting = false;
                continue;
            }
            let left = self.runs.missing()?;
            if left.iter().all(|&position| self.hopeless(&self.runs.runs()[position], &ended)) {
                ended.missing = left.len();
                return Ok(ended);
            }
            if !waiting {
                let runs = counted(left.len(), "run", "runs");
                reporter.say(&format!("waiting for {runs} locked by other processes"));
                waiting = true;
            }
            std::thread::sleep(PATIENCE);
        }
    }

    /// The missing runs, those with finished but unrecorded runs first and flagged. A run whose data cannot be read
    /// counts as unfinished.
    fn finished_first(&mut self) -> Result<Vec<(bool, usize)>, R::Error> {
        let missing = self.runs.missing()?;
        let finished = |position: usize| {
            let directory = self.directory(position);
            (directory.is_ok_and(|directory| directory.join(RunDir::RESULT).exists()), position)
        };
        let mut runs: Vec<_> = missing.into_iter().map(finished).collect();
        runs.sort_by_key(|(finished, _)| !finished);
        Ok(runs)
    }

    /// True if the run that `run` needs is missing.
    fn waits(&self, run: &R::Run) -> Result<bool, R::Error> {
        let Some(needed) = run.needs() else { return Ok(false) };
        let missing = self.runs.missing()?;
        Ok(missing.into_iter().any(|position| self.runs.runs()[position].key() == needed))
    }

    /// True if the run or one that it needs failed.
    fn hopeless(&self, run: &R::Run, ended: &Ended) -> bool {
        let needed =
            run.needs().and_then(|needed| self.runs.runs().iter().find(|other| other.key() == needed));
        ended.has_failed(run.key()) || needed.is_some_and(|needed| self.hopeless(needed, ended))
    }

    /// Trains and records a run.
    fn train(
        &mut self,
        position: usize,
        label: &str,
        reporter: &mut dyn Reporter,
    ) -> Result<Outcome, R::Error> {
        let directory = Some(self.directory(position)?);
        let run = &self.runs.runs()[position];
        let data_dir = data_dir(self.data_dirs, run.experiment());
        let options = RunOptions { data_dir, directory, ..self.options.clone() };
        reporter.say(&format!("{label}: {}", self.runs.purpose(run)));
        let trained = train(run.experiment(), &options, reporter.observer(run.experiment()).as_mut());
        match trained {
            Ok(finished) => {
                let recorded = self.runs.record(run, &finished, &options)?;
                Ok(Outcome::Done { trained: !finished.earlier, recorded })
            }
            Err(Error::Stopped { .. }) => Ok(Outcome::Stopped),
            Err(Error::Record(nc_record::Error::Held { .. })) => Ok(Outcome::Held),
            Err(error) => Err(error.into()),
        }
    }

    /// True if the run directory of the run `key` exists with result and weights.
    fn has_run(&mut self, key: &str) -> Result<bool, R::Error> {
        let position = self.runs.runs().iter().position(|run| run.key() == key);
        let Some(position) = position else { return Ok(false) };
        let directory = self.directory(position)?;
        Ok([RunDir::RESULT, RunDir::WEIGHTS].iter().all(|file| directory.join(file).exists()))
    }

    fn directory(&mut self, position: usize) -> Result<PathBuf, R::Error> {
        let facts = self.facts(position)?;
        let run = &self.runs.runs()[position];
        Ok(self.runs.directory(run, &facts.run_hash(run.experiment())?))
    }

    /// Facts of the data of a run, which are read once for each data configuration.
    fn facts(&mut self, position: usize) -> Result<DataFacts, R::Error> {
        let run = &self.runs.runs()[position];
        if let Some(facts) = self.runs.facts(run) {
            return Ok(facts.clone());
        }
        let experiment = run.experiment();
        let config = serde_json::to_string(&experiment.data).unwrap_or_default();
        if let Some(facts) = self.facts.get(&config) {
            return Ok(facts.clone());
        }
        let directory = data_dir(self.data_dirs, experiment);
        let facts = DataFacts::read(&experiment.data, directory.as_deref(), self.progress.as_mut())?;
        self.facts.insert(config, facts.clone());
        Ok(facts)
    }
}

fn data_dir(data_dirs: &BTreeMap<DataSource, Option<PathBuf>>, experiment: &Experiment) -> Option<PathBuf> {
    data_dirs.get(&experiment.data.source).cloned().flatten()
}
