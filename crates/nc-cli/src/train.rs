use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};
use nc_kernels::threads;
use nc_paper::shell_word;
use nc_record::RunDir;
use nc_report::RunReport;
use nc_train::{CheckpointEvery, Error, Finished, RunOptions, Settings, Trained, ValidExperiment};

use crate::{
    compute, duration,
    progress::Progress,
    signals, summary,
    terminal::{harmless, say},
};

/// Train one experiment from start to end, or from where it was interrupted.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A ready experiment; `nclt presets` lists them [default: fashion-mnist-lt/nc-drw-crt].
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// A TOML file: a complete configuration, or `preset = "NAME"` and what differs from it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change one setting, as in `--set phases.representation.optimizer.learning_rate=0.05`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Epochs of the first phase. Every other epoch number, also one given by --set, counts in the epochs of the preset
    /// or file and is scaled by the same ratio. A warm-up keeps its length, up to a quarter of its phase;
    /// evaluation.every_epochs is not scaled.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seed of initialisation, data order, augmentation and mix-up.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    compute: compute::Args,
    /// Go on with the run in this directory, by the configuration that lies there.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["preset", "config", "overrides", "epochs", "seed", "out"])]
    resume: Option<PathBuf>,
    /// Start from the beginning. Without it, a run that was begun before goes on from its last checkpoint, and of a
    /// finished one the result is shown.
    #[arg(long)]
    fresh: bool,
    /// Measure neural collapse every N epochs; 0 for never during training [default: whenever the test set is looked at].
    #[arg(long, value_name = "N")]
    measure_every: Option<usize>,
    /// How often to write a checkpoint: as in 5min or 200steps.
    #[arg(long, value_name = "INTERVAL", default_value = MINUTE, value_parser = parse_interval)]
    checkpoint_every: Interval,
    /// Directory in which the run's directory is made.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let experiment = args.experiment()?;
    let options = RunOptions {
        out: args.out.clone(),
        directory: args.resume.clone(),
        measure_every: args.measure_every,
        checkpoint_every: args.checkpoint_every.every,
        fresh: args.fresh,
        ..args.compute.start(experiment.data.source, args.resume.as_deref())?
    };
    let mut progress = Progress::new(&experiment, signals::wants_to_stop()?);
    let finished = threads::install(|| nc_train::train(&experiment, &options, &mut progress));
    drop(progress);
    match finished {
        Ok(finished) => {
            if finished.earlier {
                say("this run was finished before; --fresh repeats it");
            }
            RunReport::write_page(&finished.directory)?;
            tell(&finished, args.json)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(stopped @ Error::Stopped { .. }) => {
            say(&format!("{stopped}\n\n    {}\n", args.resume_command(&stopped)));
            Ok(ExitCode::from(signals::INTERRUPTED))
        }
        Err(error) => Err(error.into()),
    }
}

fn tell(finished: &Finished, json: bool) -> Result<()> {
    let text = summary::run(finished);
    let mut out = std::io::stdout().lock();
    if json {
        say(text.trim_end());
        writeln!(out, "{}", serde_json::to_string(&finished.result)?)?;
    } else {
        write!(out, "{}", harmless(&text))?;
    }
    Ok(())
}

impl Args {
    fn experiment(&self) -> Result<ValidExperiment> {
        if let Some(directory) = &self.resume {
            ensure!(
                directory.join(RunDir::CONFIG).is_file(),
                "--resume {}: expected a run's directory, which holds a config.toml",
                directory.display()
            );
            return Ok(Trained::experiment_of(directory)?);
        }
        let settings = Settings {
            preset: self.preset.as_deref(),
            config: self.config.as_deref(),
            overrides: &self.overrides,
            epochs: self.epochs,
            seed: self.seed,
        };
        Ok(settings.resolve()?)
    }

    /// What goes on with a stopped run as it was begun.
    fn resume_command(&self, stopped: &Error) -> String {
        let program = std::env::args_os().next().unwrap_or_else(|| "nclt".into());
        let mut words: Vec<OsString> = vec![program, "train".into()];
        if let Error::Stopped { checkpoint, .. } = stopped {
            words.extend(["--resume".into(), checkpoint.parent().unwrap_or(checkpoint).into()]);
        }
        words.extend(self.compute.words());
        if let Some(epochs) = self.measure_every {
            words.extend(["--measure-every".into(), epochs.to_string().into()]);
        }
        words.extend(self.checkpoint_every.words());
        if self.json {
            words.push("--json".into());
        }
        let words: Vec<String> = words.iter().map(|word| shell_word(&word.to_string_lossy())).collect();
        words.join(" ")
    }
}

/// How often, and how that was said.
#[derive(Clone)]
struct Interval {
    every: CheckpointEvery,
    text: String,
}

const MINUTE: &str = "1min";

impl Interval {
    /// What was said, as arguments of another command.
    fn words(&self) -> Vec<OsString> {
        if self.text == MINUTE { vec![] } else { vec!["--checkpoint-every".into(), self.text.clone().into()] }
    }
}

/// `200steps`, or a time as in `5min`.
fn parse_interval(text: &str) -> std::result::Result<Interval, String> {
    let steps = || {
        let (number, unit) = duration::split(text);
        let steps = number.parse().ok().filter(|&steps| steps > 0 && ["step", "steps"].contains(&unit));
        steps.map(CheckpointEvery::Steps)
    };
    let every = duration::parse(text).map(CheckpointEvery::Time).or_else(steps);
    let wrong = || "should be a number above 0 of s, min, h or steps, as in 5min or 200steps".to_owned();
    Ok(Interval { every: every.ok_or_else(wrong)?, text: text.to_owned() })
}
