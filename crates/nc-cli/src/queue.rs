//! Arguments and terminal output of commands that train a queue of runs.

use std::{
    ffi::OsString,
    io::Write,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use clap::{builder::RangedU64ValueParser, value_parser};
use indicatif::HumanDuration;
use nc_data::counted;
use nc_kernels::threads;
use nc_paper::{SlurmTasks, slurm_script};
use nc_train::{
    DataSource, Experiment, Observer, RunOptions,
    queue::{Ended, Queue, QueuedRun, Reporter, Runs},
};

use crate::{
    compute, duration, loading::Loading, message::message, progress::Progress, signals, terminal::say,
};

/// Arguments of a queue.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) compute: compute::Args,
    /// Print the missing runs and their estimated time, without training.
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write a Slurm array-job script beside the results, without training.
    #[arg(long, conflicts_with_all = ["dry_run", "max_runs"])]
    pub(crate) slurm: bool,
    /// Stop after N runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<usize>,
    /// Stop after this time, as in 3min or 8h, and write a checkpoint of the current run.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time_limit: Option<Duration>,
}

impl Args {
    /// Trains the missing of `runs`; prints `summary` and the estimated time first. With `--dry-run`, only prints the
    /// runs, and returns `None`. `lists` is the directory of image lists, by default the data directory. The runs start from
    /// the weights in the file `init_from`, if there is one.
    pub(crate) fn work<R>(
        &self,
        runs: R,
        summary: &str,
        lists: Option<&Path>,
        init_from: Option<&Path>,
    ) -> Result<Option<Worked>>
    where
        R: Runs + Sync + Send,
        R::Run: Sync,
        R::Error: std::error::Error + Send + Sync + 'static,
    {
        let mut missing = runs.missing()?;
        if self.dry_run {
            return self.list(runs, &missing, summary, lists).map(|()| None);
        }
        if self.max_runs == Some(0) {
            // Only runs that will be trained need their images.
            missing.clear();
        }
        let mut terminal = Terminal { stop: signals::wants_to_stop()?, time_is_up: Arc::default() };
        if let Some(limit) = self.time_limit {
            terminal.stop_after(limit);
        }
        let (options, data_dirs) = self.compute.start_all(&sources(&runs, &missing), lists)?;
        let options = RunOptions { init_from: init_from.map(Path::to_owned), ..options };
        let mut queue = Queue::new(runs, &data_dirs, options).with_progress(Box::<Loading>::default());
        let estimate = threads::install(|| queue.estimate(&missing))?;
        say(&format!("{summary}{}", time(missing.len(), estimate)));
        let ended = threads::install(|| queue.run(self.max_runs, &mut terminal))?;
        Ok(Some(Worked { ended, terminal }))
    }

    /// Prints the missing runs and, if their images are available, the estimated time.
    fn list<R>(&self, runs: R, missing: &[usize], summary: &str, lists: Option<&Path>) -> Result<()>
    where
        R: Runs + Sync + Send,
        R::Run: Sync,
        R::Error: std::error::Error + Send + Sync + 'static,
    {
        let mut out = std::io::stdout().lock();
        for &position in missing {
            let run = &runs.runs()[position];
            let purpose = runs.purpose(run);
            // A run that no cell shows.
            let purpose = purpose.starts_with("first phase").then_some(" (first phase of other runs)");
            writeln!(out, "{} seed {}{}", run.name(), run.experiment().seed, purpose.unwrap_or_default())?;
        }
        let sources = sources(&runs, missing);
        let estimate = || -> Result<f64> {
            let (options, data_dirs) = self.compute.start_all(&sources, lists)?;
            let mut queue = Queue::new(runs, &data_dirs, options).with_progress(Box::<Loading>::default());
            Ok(threads::install(|| queue.estimate(missing))?)
        };
        match estimate() {
            Ok(seconds) => writeln!(out, "{summary}{}", time(missing.len(), seconds))?,
            Err(error) => {
                writeln!(out, "{summary}")?;
                say(&format!("cannot estimate the time: {}", message(&error)));
            }
        }
        Ok(())
    }

    /// Slurm script that runs this command line, without `--slurm`, in `tasks` tasks with `gigabytes` of memory each.
    pub(crate) fn slurm_script(&self, tasks: usize, gigabytes: usize) -> Result<String> {
        let directory = std::env::current_dir().context("cannot determine the working directory")?;
        let program = std::env::current_exe().context("cannot determine the path of this program")?;
        let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--slurm");
        let word = |argument: OsString| {
            let text = argument.into_string();
            text.map_err(|argument| {
                anyhow!("{}: not valid UTF-8, which the script requires", argument.display())
            })
        };
        let command: Vec<String> =
            [program.into_os_string()].into_iter().chain(arguments).map(word).collect::<Result<_>>()?;
        let (threads, gpu) = (self.compute.threads(), self.compute.is_on_gpu());
        let tasks = SlurmTasks { tasks: tasks.max(1), threads, gigabytes, gpu };
        Ok(slurm_script(&command, &directory.display().to_string(), tasks))
    }
}

/// Data sources of the runs at `positions`.
fn sources<R: Runs>(runs: &R, positions: &[usize]) -> Vec<DataSource> {
    let mut sources: Vec<DataSource> = vec![];
    for &position in positions {
        let source = runs.runs()[position].experiment().data.source;
        if !sources.contains(&source) {
            sources.push(source);
        }
    }
    sources
}

/// Estimated time of `runs` runs; empty without runs.
fn time(runs: usize, seconds: f64) -> String {
    if runs == 0 {
        return String::new();
    }
    format!(", about {} at the speed measured here", HumanDuration(Duration::from_secs_f64(seconds)))
}

/// Outcome of a queue.
pub(crate) struct Worked {
    ended: Ended,
    terminal: Terminal,
}

impl Worked {
    /// Whether a run failed.
    pub(crate) fn has_failures(&self) -> bool {
        !self.ended.failed.is_empty()
    }

    /// Reports failures and missing runs and returns the exit code.
    pub(crate) fn end(&self) -> ExitCode {
        let ended = &self.ended;
        for (_, message) in &ended.failed {
            say(&format!("failed: {message}"));
        }
        if ended.missing > 0 {
            let runs = counted(ended.missing, "run", "runs");
            let can_continue = ended.missing > ended.failed.len();
            let hint = if can_continue { "; repeat the command to continue" } else { "" };
            say(&format!("{runs} missing{hint}"));
        }
        let interrupted = self.terminal.wants_to_stop() && !self.terminal.time_is_up.load(Ordering::Relaxed);
        if !ended.failed.is_empty() {
            ExitCode::FAILURE
        } else if interrupted && ended.missing > 0 {
            ExitCode::from(signals::INTERRUPTED)
        } else {
            ExitCode::SUCCESS
        }
    }
}

/// Reports the progress of the queue on the terminal.
struct Terminal {
    stop: Arc<AtomicBool>,
    time_is_up: Arc<AtomicBool>,
}

impl Terminal {
    fn stop_after(&self, limit: Duration) {
        let (stop, time_is_up) = (Arc::clone(&self.stop), Arc::clone(&self.time_is_up));
        thread::spawn(move || {
            thread::sleep(limit);
            time_is_up.store(true, Ordering::Relaxed);
            stop.store(true, Ordering::Relaxed);
        });
    }
}

impl Reporter for Terminal {
    fn say(&mut self, line: &str) {
        say(line);
    }

    fn observer(&mut self, experiment: &Experiment) -> Box<dyn Observer + '_> {
        Box::new(Progress::new(experiment, Arc::clone(&self.stop)))
    }

    fn wants_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// Parser of seeds that fit a TOML integer, which is signed.
pub(crate) fn parse_seed() -> RangedU64ValueParser {
    value_parser!(u64).range(0..=i64::MAX as u64)
}

fn parse_time(text: &str) -> std::result::Result<Duration, String> {
    duration::parse(text)
        .ok_or_else(|| "expected a number above 0 of s, min or h, as in 90s, 3min or 8h".to_owned())
}
