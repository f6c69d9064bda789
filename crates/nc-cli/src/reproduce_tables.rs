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

/// Run what is missing of the paper's tables and figures, and write them: paper beside ours.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only these tables and figures, as in 3,7,figure2.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tables: Vec<String>,
    /// Only cells of this name, with * and ?, as in '*/cifar10-lt-r100/nc-*'; --list shows the names.
    #[arg(long, value_name = "GLOB", default_value = "*")]
    cells: String,
    /// Seeds [default: 0, at paper scale 0,1,2].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = value_parser!(u64).range(SEEDS))]
    seeds: Vec<u64>,
    /// How long runs are.
    #[arg(long, value_enum, default_value_t = ScaleName::Quick)]
    scale: ScaleName,
    #[command(flatten)]
    compute: compute::Args,
    /// Where records, tables and run directories are; several machines may share it.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Show the runs that are missing and how long they would take, and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Show the cells and which have their runs, and run nothing.
    #[arg(long, conflicts_with = "dry_run")]
    list: bool,
    /// Write an array-job script for Slurm beside the records, and run nothing.
    #[arg(long, conflicts_with_all = ["dry_run", "list", "max_runs"])]
    slurm: bool,
    /// End after so many runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<usize>,
    /// End after so much time, as in 3min or 8h, with a checkpoint of the run under way.
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    time_limit: Option<Duration>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ScaleName {
    /// One epoch on a few embedded images: everything works, figures say nothing.
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

/// Those that TOML can hold.
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
    // Of what is recorded, or not to be run, no images are needed.
    let to_run = if args.max_runs == Some(0) { &[] } else { &missing[..] };
    let (options, data_dirs) = args.compute.start_all(&Plan::sources(to_run))?;
    let mut queue = Queue::new(&plan, &args.results, &data_dirs, options);
    let estimate = threads::install(|| queue.estimate(to_run))?;
    say(&format!("{summary}{}", time(to_run, estimate)));
    let ended = threads::install(|| queue.run(args.max_runs, &mut terminal))?;
    write_reports(&args.results, scale)?;
    Ok(terminal.end(args, &ended))
}

/// Lists what is missing and, where the images are there, tells how long it would take.
fn dry_run(args: &Args, plan: &Plan, missing: &[&Job], summary: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for job in missing {
        writeln!(out, "{} seed {}{}", job.preset, job.experiment.seed, reason(job))?;
    }
    let sources = Plan::sources(missing);
    if let Err(error) = args.compute.data_dirs(&sources) {
        writeln!(out, "{summary}")?;
        say(&format!("how long they take cannot be told: {}", message(&error)));
        return Ok(());
    }
    let (options, data_dirs) = args.compute.start_all(&sources)?;
    let mut queue = Queue::new(plan, &args.results, &data_dirs, options);
    let estimate = threads::install(|| queue.estimate(missing))?;
    writeln!(out, "{summary}{}", time(missing, estimate))?;
    Ok(())
}

/// How long `jobs` take, if there are any.
fn time(jobs: &[&Job], seconds: f64) -> String {
    if jobs.is_empty() {
        return String::new();
    }
    format!(", about {} at the speed measured here", HumanDuration(Duration::from_secs_f64(seconds)))
}

/// What a run is for, if no cell shows it.
fn reason(job: &Job) -> &'static str {
    if job.cells.is_empty() { " (a first phase of others)" } else { "" }
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
    let directory = std::env::current_dir().context("cannot tell the working directory")?;
    let program = std::env::current_exe().context("cannot tell this program's file")?;
    // The command as it was given, without what asks for the script.
    let arguments = std::env::args_os().skip(1).filter(|argument| argument != "--slurm");
    let word = |argument: OsString| {
        let text = argument.into_string();
        text.map_err(|argument| anyhow!("{}: the script is text, and this is none", argument.display()))
    };
    let command: Vec<String> =
        [program.into_os_string()].into_iter().chain(arguments).map(word).collect::<Result<_>>()?;
    let script =
        slurm_script(&command, &directory.display().to_string(), missing.max(1), args.compute.threads());
    let path = write_slurm_script(&args.results, plan.scale, &script)?;
    show(&format!("{missing} runs missing: sbatch {}", path.display()));
    Ok(())
}

/// Tells on the terminal how the queue goes.
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

    /// Says how it ended, and how the program ends.
    fn end(&self, args: &Args, ended: &Ended) -> ExitCode {
        for (_, message) in &ended.failed {
            say(&format!("failed: {message}"));
        }
        if ended.missing > 0 {
            say(&format!("{} runs missing; the same command goes on with them", ended.missing));
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
        .ok_or_else(|| "should be a number above 0 of s, min or h, as in 90s, 3min or 8h".to_owned())
}
