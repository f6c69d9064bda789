use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Result, ensure};
use indicatif::HumanDuration;
use nc_data::counted;
use nc_kernels::threads;
use nc_record::{RunDir, shell_word};
use nc_report::RunReport;
use nc_train::{
    CheckpointEvery, DataFacts, Error, Finished, RunOptions, Settings, Speed, Trained, ValidExperiment,
    epochs_within, presets::ImageDirectory,
};

use crate::{
    compute, duration,
    loading::Loading,
    progress::Progress,
    signals, summary,
    terminal::{harmless, say},
};

const EXAMPLES: &str = "\
Examples:
  # The paper's method on the embedded Fashion-MNIST-LT
  nclt train

  # A preset on CIFAR-10-LT
  nclt download cifar10
  nclt train --preset cifar10-lt-r100/ldam-drw --seed 1

  # A linear probe: only a new classifier, on the frozen backbone of a run or of PyTorch
  nclt train --preset cifar10-lt-r100/ce --init-from weights.safetensors --set phases.representation.trains=new-classifier

  # Your own images in photos/train/CLASS and photos/test/CLASS, or only in photos/CLASS
  nclt train --data-dir photos

  # The same with another method, for about ten minutes
  nclt train --preset image-folder/nc-drw --data-dir photos --minutes 10";

/// Train an experiment, or resume it from its last checkpoint.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Preset DATA/METHOD; `nclt presets` lists them [default: fashion-mnist-lt/nc-drw-crt; with --data-dir, settings
    /// that suit your own images].
    #[arg(long, value_name = "NAME")]
    preset: Option<String>,
    /// TOML file: a complete configuration, or `preset = "NAME"` and the settings that differ from it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Override one setting, as in `--set phases.representation.optimizer.learning_rate=0.05`.
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
    /// Epochs of the first phase. All other epoch numbers, including those of --set, scale by the same ratio. A warm-up
    /// keeps its length, up to a quarter of its phase; evaluation.every_epochs does not scale.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Choose the number of epochs so that training takes about this long here, at the speed measured first. Repeating
    /// the command may choose another number; --resume continues the same run.
    #[arg(long, value_name = "N", conflicts_with = "epochs", value_parser = clap::value_parser!(u32).range(1..))]
    minutes: Option<u32>,
    /// Precision of the layers before the features: f32, bf16 or tf32 (which requires --device cuda or candle-cuda). Short for
    /// `--set model.precision=...`.
    #[arg(long, value_name = "PRECISION")]
    precision: Option<String>,
    /// Seed of initialisation, data order, augmentation and mix-up.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Start from the weights in this safetensors file: weights of a run, or a PyTorch state_dict of the same backbone. A
    /// classifier of other classes starts from random weights.
    #[arg(long, value_name = "FILE")]
    init_from: Option<PathBuf>,
    #[command(flatten)]
    compute: compute::Args,
    /// Resume the run in this directory with the configuration stored there.
    #[arg(long, value_name = "RUN", conflicts_with_all = ["preset", "config", "overrides", "precision", "epochs", "minutes", "seed", "out"])]
    resume: Option<PathBuf>,
    /// Start from the beginning. Without --fresh, an interrupted run resumes from its last checkpoint, and a finished
    /// run only prints its result.
    #[arg(long)]
    fresh: bool,
    /// Measure neural collapse every N epochs; 0 for never during training [default: at each evaluation].
    #[arg(long, value_name = "N")]
    measure_every: Option<usize>,
    /// Checkpoint interval, as in 5min or 200steps.
    #[arg(long, value_name = "INTERVAL", default_value = MINUTE, value_parser = parse_interval)]
    checkpoint_every: Interval,
    /// Parent directory of the run directory.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<ExitCode> {
    let images = args.compute.images()?;
    let experiment = args.experiment(images.as_ref(), args.epochs)?;
    let mut options = RunOptions {
        out: args.out.clone(),
        directory: args.resume.clone(),
        init_from: args.init_from.clone(),
        measure_every: args.measure_every,
        checkpoint_every: args.checkpoint_every.every,
        fresh: args.fresh,
        ..args.compute.start(experiment.data.source, args.resume.as_deref())?
    };
    if args.resume.is_none() {
        let words = std::env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()));
        options.program.command =
            Some(["nclt".to_owned()].into_iter().chain(words).collect::<Vec<_>>().join(" "));
    }
    let experiment = args.announced(experiment, images.as_ref(), &options)?;
    let mut progress = Progress::new(&experiment, signals::wants_to_stop()?);
    let finished = threads::install(|| nc_train::train(&experiment, &options, &mut progress));
    drop(progress);
    match finished {
        Ok(finished) => {
            if finished.earlier {
                say("this run is already finished; repeat it with --fresh");
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
    fn experiment(&self, images: Option<&ImageDirectory>, epochs: Option<usize>) -> Result<ValidExperiment> {
        if let Some(directory) = &self.resume {
            ensure!(
                directory.join(RunDir::CONFIG).is_file(),
                "--resume {}: not a run directory, because it has no config.toml",
                directory.display()
            );
            return Ok(Trained::experiment_of(directory)?);
        }
        let precision = self.precision.iter().map(|precision| format!("model.precision={precision}"));
        let overrides: Vec<_> = self.overrides.iter().cloned().chain(precision).collect();
        let settings = Settings {
            preset: self.preset.as_deref(),
            config: self.config.as_deref(),
            overrides: &overrides,
            epochs,
            seed: self.seed,
            images,
        };
        Ok(settings.resolve()?)
    }

    /// Applies --minutes, and announces a run on one's own images.
    fn announced(
        &self,
        experiment: ValidExperiment,
        images: Option<&ImageDirectory>,
        options: &RunOptions,
    ) -> Result<ValidExperiment> {
        let known = images.and_then(ImageDirectory::known);
        if known.is_none() && self.minutes.is_none() {
            return Ok(experiment);
        }
        let facts = if let Some(images) = known {
            images.facts(&experiment)
        } else {
            let (data, directory) = (&experiment.data, options.data_dir.as_deref());
            threads::install(|| DataFacts::read(data, directory, &mut Loading::default()))?
        };
        say("measuring the speed of training here");
        let speed = threads::install(|| Speed::measure(&experiment, &facts, &options.device))?;
        let scaled = |epochs| {
            let mut scaled = (*experiment).clone();
            scaled.scale_epochs(epochs);
            scaled
        };
        let experiment = match self.minutes {
            None => experiment,
            Some(minutes) => {
                let seconds = |epochs| speed.seconds(&scaled(epochs), 0, &facts);
                self.experiment(images, Some(epochs_within(60.0 * f64::from(minutes), seconds)))?
            }
        };
        let epochs: Vec<String> = experiment.phases.iter().map(|phase| phase.epochs.to_string()).collect();
        let time = Duration::from_secs_f64(speed.seconds(&experiment, 0, &facts));
        say(&format!(
            "{}: about {} training images in {}, {}x{} pixels; {} {}, about {} at the speed measured here",
            experiment.name,
            facts.train_images,
            counted(facts.classes, "class", "classes"),
            facts.shape.height,
            facts.shape.width,
            epochs.join(" + "),
            if epochs == ["1"] { "epoch" } else { "epochs" },
            HumanDuration(time)
        ));
        Ok(experiment)
    }

    /// Command line that resumes a stopped run with the same options.
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

/// Checkpoint interval, parsed and as given.
#[derive(Clone)]
struct Interval {
    every: CheckpointEvery,
    text: String,
}

const MINUTE: &str = "1min";

impl Interval {
    /// The argument for another command line; empty for the default.
    fn words(&self) -> Vec<OsString> {
        if self.text == MINUTE { vec![] } else { vec!["--checkpoint-every".into(), self.text.clone().into()] }
    }
}

/// Parses `200steps`, or a duration such as `5min`.
fn parse_interval(text: &str) -> std::result::Result<Interval, String> {
    let steps = || {
        let (number, unit) = duration::split(text);
        let steps = number.parse().ok().filter(|&steps| steps > 0 && ["step", "steps"].contains(&unit));
        steps.map(CheckpointEvery::Steps)
    };
    let every = duration::parse(text).map(CheckpointEvery::Time).or_else(steps);
    let wrong = || "expected a number above 0 of s, min, h or steps, as in 5min or 200steps".to_owned();
    Ok(Interval { every: every.ok_or_else(wrong)?, text: text.to_owned() })
}
