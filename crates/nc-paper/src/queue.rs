use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use nc_record::RunDir;
use nc_report::RunReport;
use nc_train::{DataFacts, DataSource, Experiment, Finished, Observer, RunOptions, Speed, Trained, train};

use crate::{Error, Job, Plan, Record, Records, Result, record::NoisyAccuracy};

/// Runs what is missing of a plan, beside others that do the same in the same results directory.
///
/// A run is done by one process at a time, which claims its directory; if the process dies, another goes on from its
/// last checkpoint. A run that begins with the phases of another waits for that one, and goes on from its weights; where
/// that one is recorded but its run directory is not here, it does those phases itself. Each finished run is recorded
/// at once.
pub struct Queue<'a> {
    plan: &'a Plan,
    results: &'a Path,
    /// Where the images of each source are; none for those that are in the program.
    data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>,
    /// Of every run; the output directory does not count.
    options: RunOptions,
    facts: BTreeMap<String, DataFacts>,
}

/// Who watches a queue.
pub trait Reporter {
    /// Something to tell.
    fn say(&mut self, line: &str);

    /// Who watches the run of `experiment`.
    fn observer(&mut self, experiment: &Experiment) -> Box<dyn Observer + '_>;

    /// Whether to stop: no run is begun any more, and the observer of the present one is asked too.
    fn wants_to_stop(&self) -> bool;
}

/// How a queue ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Runs that were done here.
    pub done: usize,
    /// Runs that are missing still.
    pub missing: usize,
    /// Those of them that failed here, with their message.
    pub failed: Vec<(String, String)>,
}

/// What became of a job.
struct Done {
    /// Whether something of its run was left to do, and was done here.
    trained: bool,
    /// Whether this process recorded it.
    recorded: bool,
}

/// How long to wait for other processes before looking again.
const PATIENCE: Duration = Duration::from_secs(5);

impl<'a> Queue<'a> {
    /// A queue for `plan` in the directory `results`.
    pub fn new(
        plan: &'a Plan,
        results: &'a Path,
        data_dirs: &'a BTreeMap<DataSource, Option<PathBuf>>,
        options: RunOptions,
    ) -> Self {
        Self { plan, results, data_dirs, options, facts: BTreeMap::new() }
    }

    /// The jobs without a record.
    ///
    /// # Errors
    ///
    /// Those of [`Records::read`].
    pub fn missing(&self) -> Result<Vec<&'a Job>> {
        Ok(self.plan.missing(&Records::read(self.results, self.plan.scale)?))
    }

    /// Seconds that `jobs` will take here, from the measured speed of their backbones.
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
            // What it begins with is run before it, or lies there from earlier, or else has to be run again.
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

    /// Runs what is missing, at most `most` runs.
    ///
    /// # Errors
    ///
    /// What keeps any run from being begun; the failure of a run is told in [`Ended`].
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
                            // Doing it again would change nothing, for ever.
                            Some(
                                "its record lacks some of what its cells show, though it was just made"
                                    .to_owned(),
                            )
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
                // What others have done meanwhile, and what this one lets begin.
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
                reporter.say(&format!("waiting for {} runs that other processes work on", left.len()));
                waiting = true;
            }
            std::thread::sleep(PATIENCE);
        }
    }

    /// Jobs with whether their run is done and only to be recorded; these first. Where the data cannot be read, that is
    /// not known.
    fn finished_first(&mut self, jobs: &[&'a Job]) -> Vec<(bool, &'a Job)> {
        let finished = |job: &&'a Job| {
            let directory = self.directory(job);
            (directory.is_ok_and(|directory| directory.join(RunDir::RESULT).exists()), *job)
        };
        let mut jobs: Vec<_> = jobs.iter().map(finished).collect();
        jobs.sort_by_key(|(finished, _)| !finished);
        jobs
    }

    /// Whether a job, or one it begins with, failed.
    fn hopeless(&self, job: &Job, ended: &Ended) -> bool {
        let failed = ended.failed.iter().any(|(key, _)| *key == job.key);
        let needs = job.needs.as_ref().and_then(|key| self.plan.jobs.iter().find(|job| job.key == *key));
        failed || needs.is_some_and(|job| self.hopeless(job, ended))
    }

    /// Does and records a job.
    fn do_job(&mut self, job: &Job, label: &str, reporter: &mut dyn Reporter) -> Result<Done> {
        let options = RunOptions {
            data_dir: self.data_dir(&job.experiment),
            directory: Some(self.directory(job)?),
            ..self.options.clone()
        };
        reporter.say(&format!("{label}: {}", self.whereabouts(job)));
        let finished = train(&job.experiment, &options, reporter.observer(&job.experiment).as_mut())?;
        let recorded = match self.record(job, &finished, &options) {
            // Another process found the run done, too, and has it now.
            Err(Error::Record(nc_record::Error::Held { .. })) => false,
            recorded => recorded?,
        };
        Ok(Done { trained: !finished.earlier, recorded })
    }

    /// Writes the page about a finished run and records it, unless another process has done so: one of them does.
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

    /// Whether the run of the job `key` lies here, finished and with its weights.
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

    /// What a job is for.
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

/// Whether another process has the run.
fn is_held(error: &Error) -> bool {
    let Error::Train(error) = error else { return false };
    matches!(**error, nc_train::Error::Record(nc_record::Error::Held { .. }))
}
