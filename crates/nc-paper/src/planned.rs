use std::path::{Path, PathBuf};

use nc_record::RunDir;
use nc_report::RunReport;
use nc_train::{
    Finished, RunOptions, Trained, ValidExperiment,
    queue::{QueuedRun, Runs},
};

use crate::{Error, Job, Plan, Record, Records, Result, record::NoisyAccuracy};

/// The runs of a plan, recorded in a results directory.
///
/// A run that shares the first phases of another waits for it and starts from its weights. If that run is recorded but
/// its directory is missing, the first phases are trained again. Each run is recorded as soon as it finishes.
pub struct PlannedRuns<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The results directory.
    pub results: &'a Path,
}

impl QueuedRun for Job {
    fn experiment(&self) -> &ValidExperiment {
        &self.experiment
    }

    fn name(&self) -> &str {
        &self.preset
    }

    fn key(&self) -> &str {
        &self.key
    }

    fn needs(&self) -> Option<&str> {
        self.needs.as_deref()
    }

    fn evaluations(&self) -> usize {
        self.noise.len()
    }
}

impl PlannedRuns<'_> {
    /// Records a finished run of this process.
    fn write(&self, job: &Job, finished: &Finished, options: &RunOptions) -> Result<bool> {
        let claim = RunDir::open(&finished.directory)?.claim(options.rhythm, |_, _| {})?;
        if !self.missing()?.iter().any(|&missing| self.plan.jobs[missing].key == job.key) {
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
}

impl Runs for PlannedRuns<'_> {
    type Run = Job;
    type Error = Error;

    fn runs(&self) -> &[Job] {
        &self.plan.jobs
    }

    fn missing(&self) -> Result<Vec<usize>> {
        let records = Records::read(self.results, self.plan.scale)?;
        let jobs = self.plan.jobs.iter().enumerate();
        Ok(jobs.filter(|(_, job)| !records.has(job)).map(|(position, _)| position).collect())
    }

    fn directory(&self, job: &Job, hash: &str) -> PathBuf {
        let runs = Records::runs(self.results, self.plan.scale);
        runs.join(format!("seed{}-{}", job.experiment.seed, &hash[..8]))
    }

    fn purpose(&self, job: &Job) -> String {
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

    fn record(&self, job: &Job, finished: &Finished, options: &RunOptions) -> Result<bool> {
        match self.write(job, finished, options) {
            // Another process also found the run finished and holds the lock.
            Err(Error::Record(nc_record::Error::Held { .. })) => Ok(false),
            recorded => recorded,
        }
    }
}
