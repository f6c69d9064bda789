use std::{
    ffi::OsString,
    io::Write,
    ops::RangeInclusive,
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use clap::{ValueEnum, value_parser};
use indicatif::HumanDuration;
use nc_kernels::threads;
use nc_paper::{
    Ended, Job, PaperFigure, PaperTable, Plan, Queue, Records, Reporter, Scale, Selection, slurm_script,
    write_reports, write_slurm_script,
};
use nc_train::{Experiment, Observer};

use crate::{
    compute, duration,
    message::message,
    progress::Progress,
    signals,
    terminal::{say, show},
};

/// Train the missing runs of the paper's tables and figures, and write published beside measured values.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Select tables and figures, as in 3,7,figure2.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tables: Vec<String>,
    /// Select cells by name, with * and ?, as in '*/cifar10-lt-r100/nc-*'; --list prints the names.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    cells: String,
    /// Seeds [default: 0; at paper scale 0,1,2].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = value_parser!(u64).range(SEEDS))]
    seeds: Vec<u64>,
    /// Length of the runs.
    #[arg(long, value_enum, default_value_t = ScaleName::Quick)]
    scale: ScaleName,
    #[command(flatten)]
    compute: compute::Args,
    /// Directory of records, tables and runs; several machines may share it.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Print the missing runs and their estimated time, without training.
    #[arg(long)]
    dry_run: bool,
    /// Print the cells and how many of their seeds are recorded, without training.
    #[arg(long, conflicts_with = "dry_run")]
    list: bool,
    /// Write a Slurm array-job script beside the records, without training.
    #[arg(long, conflicts_with_all = ["dry_run", "list", "max_runs"])]
    slurm: bool,
    /// Stop after N runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<usize>,
    /// Stop after this time, as in 3min or 8h, and write a checkpoint of the current run.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time_limit: Option<Duration>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleName {
    /// One epoch on a few embedded images: tests that everything runs, accuracies are meaningless.
    Smoke,
    /// 40 epochs.
    Quick,
    /// 200 epochs.
    Paper,
}

impl From<ScaleName> for Scale {
    fn from(name: ScaleName) -> Self {
        match name {
            ScaleName::Smoke => Self::Smoke,
            ScaleName::Quick => Self::Quick,
            ScaleName::Paper => Self::Paper,
        }
    }
}

/// Seeds that fit a TOML integer, which is signed.
const SEEDS: RangeInclusive<u64> = 0..=i64::MAX as u64;

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let scale = Scale::from(args.scale);
    let selection = Selection {
        tables: args.tables.clone(),
        cells: args.cells.clone(),
        seeds: args.seeds.clone(),
        scale,
    };
    let plan = Plan::new(&PaperTable::all()?, &PaperFigure::all()?, &selection)?;
    if args.list {
        list(&plan, &Records::read(&args.results, scale)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.slurm {
        return write_slurm(args, &plan).map(|()| ExitCode::SUCCESS);
    }
    let missing = plan.missing(&Records::read(&args.results, scale)?);
    let summary = format!("{} runs at {}; {} missing", plan.jobs.len(), scale.description(), missing.len());
    if args.dry_run {
        return dry_run(args, &plan, &missing, &summary).map(|()| ExitCode::SUCCESS);
    }
    let mut terminal = Terminal { stop: signals::wants_to_stop()?, time_is_up: Arc::default() };
    if let Some(limit) = args.time_limit {
        terminal.stop_after(limit);
    }
    // Only runs that will be trained need their images.
    let to_run = if args.max_runs == Some(0) { &[] } else { &missing[..] };
    let (options, data_dirs) = args.compute.start_all(&Plan::sources(to_run))?;
    let mut queue = Queue::new(&plan, &args.results, &data_dirs, options);
    let estimate = threads::install(|| queue.estimate(to_run))?;
    say(&format!("{summary}{}", time(to_run, estimate)));
    let ended = threads::install(|| queue.run(args.max_runs, &mut terminal))?;
    write_reports(&args.results, scale)?;
    Ok(terminal.end(args, &ended))
}

/// Prints the missing runs and, if their images are available, the estimated time.
fn dry_run(args: &Args, plan: &Plan, missing: &[&Job], summary: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for job in missing {
        writeln!(out, "{} seed {}{}", job.preset, job.experiment.seed, reason(job))?;
    }
    let sources = Plan::sources(missing);
    if let Err(error) = args.compute.data_dirs(&sources) {
        writeln!(out, "{summary}")?;
        say(&format!("cannot estimate the time: {}", message(&error)));
        return Ok(());
    }
    let (options, data_dirs) = args.compute.start_all(&sources)?;
    let mut queue = Queue::new(plan, &args.results, &data_dirs, options);
    let estimate = threads::install(|| queue.estimate(missing))?;
    writeln!(out, "{summary}{}", time(missing, estimate))?;
    Ok(())
}

/// Estimated time of `jobs`; empty without jobs.
fn time(jobs: &[&Job], seconds: f64) -> String {
    if jobs.is_empty() {
        return String::new();
    }
    format!(", about {} at the speed measured here", HumanDuration(Duration::from_secs_f64(seconds)))
}

/// Reason for a run that no cell shows.
fn reason(job: &Job) -> &'static str {
    if job.cells.is_empty() { " (first phase of other runs)" } else { "" }
}

fn list(plan: &Plan, records: &Records) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let cells = plan.cells(records);
    let width = cells.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, done, seeds) in cells {
        writeln!(out, "{name:width$}  {done} of {seeds}")?;
    }
    Ok(())
}

fn write_slurm(args: &Args, plan: &Plan) -> Result<()> {
    let missing = plan.missing(&Records::read(&args.results, plan.scale)?).len();
    let directory = std::env::current_dir().context("cannot determine the working directory")?;
    let program = std::env::current_exe().context("cannot determine the path of this program")?;
    // The same command line without --slurm.
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--slurm");
    let word = |argument: OsString| {
        let text = argument.into_string();
        text.map_err(|argument| anyhow!("{}: not valid UTF-8, which the script requires", argument.display()))
    };
    let command: Vec<String> =
        [program.into_os_string()].into_iter().chain(arguments).map(word).collect::<Result<_>>()?;
    let script =
        slurm_script(&command, &directory.display().to_string(), missing.max(1), args.compute.threads());
    let path = write_slurm_script(&args.results, plan.scale, &script)?;
    show(&format!("{missing} runs missing: sbatch {}", path.display()));
    Ok(())
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

    /// Reports the outcome and returns the exit code.
    fn end(&self, args: &Args, ended: &Ended) -> ExitCode {
        for (_, message) in &ended.failed {
            say(&format!("failed: {message}"));
        }
        if ended.missing > 0 {
            say(&format!("{} runs missing; repeat the command to continue", ended.missing));
        }
        let directory = args.results.join(Scale::from(args.scale).name());
        show(&directory.join("tables.md").display().to_string());
        let interrupted = self.wants_to_stop() && !self.time_is_up.load(Ordering::Relaxed);
        if !ended.failed.is_empty() {
            ExitCode::FAILURE
        } else if interrupted && ended.missing > 0 {
            ExitCode::from(signals::INTERRUPTED)
        } else {
            ExitCode::SUCCESS
        }
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

fn parse_time(text: &str) -> std::result::Result<Duration, String> {
    duration::parse(text)
        .ok_or_else(|| "expected a number above 0 of s, min or h, as in 90s, 3min or 8h".to_owned())
}
