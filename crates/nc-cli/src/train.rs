use std::{io::Write, path::PathBuf};

use anyhow::Result;
use nc_kernels::threads;
use nc_train::{Experiment, Finished, RunOptions, Settings};

use crate::{compute, progress::Progress, summary};

/// Train one experiment from start to end.
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
    /// Epochs of the first phase; every other epoch number is scaled by the same ratio.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seed of initialisation, data order, augmentation and mix-up.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    #[command(flatten)]
    compute: compute::Args,
    /// Directory in which the run's directory is made.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let experiment = args.experiment()?;
    let options = RunOptions { out: args.out.clone(), ..args.compute.start(experiment.data.source)? };
    let mut progress = Progress::new(&experiment);
    let finished = threads::install(|| nc_train::train(&experiment, &options, &mut progress));
    progress.clear();
    report(&finished?, args.json)
}

fn report(finished: &Finished, json: bool) -> Result<()> {
    let text = summary::run(finished);
    let mut out = std::io::stdout().lock();
    if json {
        write!(std::io::stderr(), "{text}")?;
        writeln!(out, "{}", serde_json::to_string(&finished.result)?)?;
    } else {
        write!(out, "{text}")?;
    }
    Ok(())
}

impl Args {
    fn experiment(&self) -> Result<Experiment> {
        let settings = Settings {
            preset: self.preset.as_deref(),
            config: self.config.as_deref(),
            overrides: &self.overrides,
            epochs: self.epochs,
            seed: self.seed,
        };
        Ok(settings.resolve()?)
    }
}
