use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use nc_record::RunDir;
use nc_report::RunReport;
use nc_train::{DataFacts, DataSource, Experiment, Finished, Observer, RunOptions, Speed, Trained, train};

use crate::{Error, Job, Plan, Record, Records, Result, record::NoisyAccuracy};

/// Trains the missing runs of a plan, possibly concurrently with other processes on the same results directory.
///
/// Each run directory is locked by one process; if it dies, another process resumes from the last checkpoint. A run
/// that shares the first phases of another waits for it and starts from its weights. If that run is recorded but its
/// directory is missing, the first phases are trained again. Each run is recorded as soon as it finishes.
pub struct Queue<'a> {
    plan: &'a Plan,
    results: &'a Path,
    /// Data directory of each source; none for built-in data.
    data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>,
    /// Options of all runs; the output directory is ignored.
    options: RunOptions,
    facts: BTreeMap<String, DataFacts>,
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

/// Outcome of a job.
struct Done {
    /// True if this process trained any part of the run.
    trained: bool,
    /// True if this process recorded it.
    recorded: bool,
}

/// Polling interval while waiting for other processes.
const PATIENCE: Duration = Duration::from_secs(5);

impl<'a> Queue<'a> {
    /// Creates a queue for `plan` in the directory `results`.
    pub fn new(
        plan: &'a Plan,
        results: &'a Path,
        data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>,
        options: RunOptions,
    ) -> Self {
        Self { plan, results, data_dirs, options, facts: BTreeMap::new() }
    }

    /// Jobs without a complete record.
    ///
    /// # Errors
    ///
    /// Those of [`Records::read`].
    pub fn missing(&self) -> Result<Vec<&'a Job>> {
        Ok(self.plan.missing(&Records::read(self.results, self.plan.scale)?))
    }

    /// Estimates the seconds for `jobs` on this machine, from the measured speed of their backbones.
    ///
    /// # Errors
    ///
    /// Those of reading the data.
    pub fn estimate(&mut self, jobs: &[&Job]) -> Result<f64> {
        let mut speeds: BTreeMap<String, Speed> = BTreeMap::new();
        let mut seconds = 0.0;
        for job in jobs {
            let facts = self.facts(&job.experiment)?;
            let kind = format!("{:?} {:?}", job.experiment.model.backbone, facts.shape);
            let speed = match speeds.get(&kind) {
                Some(&speed) => speed,
                None => Speed::measure(&job.experiment, &facts, &self.options.device)?,
            };
            speeds.insert(kind, speed);
            // First phases are planned before this job or available from an earlier run; else they are trained again.
            let begins = match &job.needs {
                Some(key) => jobs.iter().any(|job| job.key == *key) || self.has_run(key)?,
                None => false,
            };
            let shorter = job.experiment.shorter().filter(|_| begins);
            let first = shorter.map_or(0, |shorter| shorter.phases.len());
            seconds += speed.seconds(&job.experiment, first, &facts);
            seconds += (job.noise.len() * facts.evaluated_images) as f64 / speed.evaluation;
        }
        Ok(seconds)
    }

    /// Trains the missing runs, at most `most`.
    ///
    /// # Errors
    ///
    /// Errors that affect all runs; failures of single runs are reported in [`Ended`].
    pub fn run(&mut self, most: Option<usize>, reporter: &mut dyn Reporter) -> Result<Ended> {
        let mut ended = Ended { done: 0, missing: 0, failed: vec![] };
        let mut waiting = false;
        loop {
            let mut begun = false;
            let missing = self.missing()?;
            let is_missing = |key: &String| missing.iter().any(|job| job.key == *key);
            for (finished, job) in self.finished_first(&missing) {
                if reporter.wants_to_stop() || most.is_some_and(|most| ended.done >= most) {
                    ended.missing = self.missing()?.len();
                    return Ok(ended);
                }
                if ended.failed.iter().any(|(failed, _)| *failed == job.key) {
                    continue;
                }
                if !finished && job.needs.as_ref().is_some_and(is_missing) {
                    continue;
                }
                let label = format!("{} seed {}", job.preset, job.experiment.seed);
                let failure = match self.do_job(job, &label, reporter) {
                    Ok(Done { trained, recorded }) => {
                        ended.done += usize::from(trained);
                        let left = self.missing()?;
                        if recorded && left.iter().any(|left| left.key == job.key) {
                            // Repeating the job would loop forever.
                            Some("its new record lacks figures that its cells show".to_owned())
                        } else {
                            let what = if recorded { "recorded" } else { "left to another process" };
                            reporter.say(&format!("{label}: {what}, {} missing", left.len()));
                            None
                        }
                    }
                    Err(error) if is_held(&error) => continue,
                    Err(Error::Train(error)) if matches!(*error, nc_train::Error::Stopped { .. }) => {
                        begun = true;
                        continue;
                    }
                    Err(error) => Some(error.to_string()),
                };
                if let Some(failure) = failure {
                    let message = format!("{label}: {failure}");
                    reporter.say(&message);
                    ended.failed.push((job.key.clone(), message));
                }
                begun = true;
                // Re-read the records: this run and other processes may have unblocked jobs.
                break;
            }
            if begun {
                waiting = false;
                continue;
            }
            let left = self.missing()?;
            if left.is_empty() || left.iter().all(|job| self.hopeless(job, &ended)) {
                ended.missing = left.len();
                return Ok(ended);
            }
            if !waiting {
                reporter.say(&format!("waiting for {} runs locked by other processes", left.len()));
                waiting = true;
            }
            std::thread::sleep(PATIENCE);
        }
    }

    /// Sorts jobs with finished but unrecorded runs first, and flags them. A run whose data cannot be read counts as
    /// unfinished.
    fn finished_first(&mut self, jobs: &[&'a Job]) -> Vec<(bool, &'a Job)> {
        let finished = |job: &&'a Job| {
            let directory = self.directory(job);
            (directory.is_ok_and(|directory| directory.join(RunDir::RESULT).exists()), *job)
        };
        let mut jobs: Vec<_> = jobs.iter().map(finished).collect();
        jobs.sort_by_key(|(finished, _)| !finished);
        jobs
    }

    /// True if the job or one that it needs failed.
    fn hopeless(&self, job: &Job, ended: &Ended) -> bool {
        let failed = ended.failed.iter().any(|(key, _)| *key == job.key);
        let needs = job.needs.as_ref().and_then(|key| self.plan.jobs.iter().find(|job| job.key == *key));
        failed || needs.is_some_and(|job| self.hopeless(job, ended))
    }

    /// Trains and records a job.
    fn do_job(&mut self, job: &Job, label: &str, reporter: &mut dyn Reporter) -> Result<Done> {
        let options = RunOptions {
            data_dir: self.data_dir(&job.experiment),
            directory: Some(self.directory(job)?),
            ..self.options.clone()
        };
        reporter.say(&format!("{label}: {}", self.whereabouts(job)));
        let finished = train(&job.experiment, &options, reporter.observer(&job.experiment).as_mut())?;
        let recorded = match self.record(job, &finished, &options) {
            // Another process also found the run finished and holds the lock.
            Err(Error::Record(nc_record::Error::Held { .. })) => false,
            recorded => recorded?,
        };
        Ok(Done { trained: !finished.earlier, recorded })
    }

    /// Writes the report of a finished run and records it, unless another process already has. Returns true if
    /// recorded.
    fn record(&self, job: &Job, finished: &Finished, options: &RunOptions) -> Result<bool> {
        let claim = RunDir::open(&finished.directory)?.claim(options.rhythm, |_, _| {})?;
        if !self.missing()?.iter().any(|missing| missing.key == job.key) {
            return Ok(false);
        }
        RunReport::write_page(&finished.directory)?;
        let mut noise = vec![];
        if !job.noise.is_empty() {
            let trained = Trained::open(&finished.directory, options)?;
            for &std in &job.noise {
                let top1 = trained.accuracy_under_noise(std, job.experiment.seed)?;
                noise.push(NoisyAccuracy { std, top1 });
            }
        }
        Records::write(self.results, &Record::new(job, self.plan.scale, &finished.result, noise)?, &claim)?;
        Ok(true)
    }

    /// True if the run directory of the job `key` exists with result and weights.
    fn has_run(&mut self, key: &str) -> Result<bool> {
        let Some(job) = self.plan.jobs.iter().find(|job| job.key == key) else { return Ok(false) };
        let directory = self.directory(job)?;
        Ok([RunDir::RESULT, RunDir::WEIGHTS].iter().all(|file| directory.join(file).exists()))
    }

    /// The run directory of a job.
    fn directory(&mut self, job: &Job) -> Result<PathBuf> {
        let hash = job.experiment.hash(&self.facts(&job.experiment)?.train_hash)?;
        let runs = Records::runs(self.results, self.plan.scale);
        Ok(runs.join(format!("seed{}-{}", job.experiment.seed, &hash[..8])))
    }

    /// Describes the cells or runs that need a job.
    fn whereabouts(&self, job: &Job) -> String {
        match job.cells.as_slice() {
            [] => {
                let needed = self.plan.jobs.iter().filter(|other| other.needs.as_ref() == Some(&job.key));
                let names: Vec<&str> = needed.map(|job| job.preset.as_str()).collect();
                format!("first phase of {}", names.join(", "))
            }
            cells => {
                let names: Vec<&str> = cells.iter().map(|(name, _)| name.as_str()).collect();
                format!("for {}", names.join(", "))
            }
        }
    }

    fn facts(&mut self, experiment: &Experiment) -> Result<DataFacts> {
        let config = serde_json::to_string(&experiment.data).unwrap_or_default();
        if let Some(facts) = self.facts.get(&config) {
            return Ok(facts.clone());
        }
        let facts = DataFacts::read(&experiment.data, self.data_dir(experiment).as_deref())?;
        self.facts.insert(config, facts.clone());
        Ok(facts)
    }

    fn data_dir(&self, experiment: &Experiment) -> Option<PathBuf> {
        self.data_dirs.get(&experiment.data.source).cloned().flatten()
    }
}

/// True if another process holds the run's lock.
fn is_held(error: &Error) -> bool {
    let Error::Train(error) = error else { return false };
    matches!(**error, nc_train::Error::Record(nc_record::Error::Held { .. }))
}
