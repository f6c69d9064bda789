use std::{io::Write, path::PathBuf, thread::available_parallelism};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use nc_kernels::threads;
use nc_train::{Experiment, Finished, RunOptions, Settings};

use crate::{progress::Progress, summary};

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
    /// Where the images are, for sources that are read from files.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Epochs of the first phase; every other epoch number is scaled by the same ratio.
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Seed of initialisation, data order, augmentation and mix-up.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads to compute with [default: all cores]. The result does not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Directory in which the run's directory is made.
    #[arg(long, value_name = "DIR", default_value = "runs")]
    out: PathBuf,
    /// Where to compute: cpu, cuda:N or metal.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = parse_device)]
    device: DeviceName,
    /// Print the result as one JSON object on the last line of standard output.
    #[arg(long)]
    json: bool,
}

pub(crate) fn main(args: &Args) -> Result<()> {
    let experiment = args.experiment()?;
    if args.threads == Some(0) {
        bail!("--threads 0: should be at least 1");
    }
    threads::init(args.threads.unwrap_or_else(|| available_parallelism().map_or(1, Into::into)))?;
    let options = RunOptions {
        data_dir: args.data_dir.clone(),
        device: args.device.open()?,
        out: args.out.clone(),
        ..RunOptions::default()
    };
    let mut progress = Progress::new(&experiment);
    let finished = threads::install(|| nc_train::train(&experiment, &options, &mut progress));
    progress.clear();
    report(&finished?, args.json)
}

fn report(finished: &Finished, json: bool) -> Result<()> {
    let text = summary::render(finished);
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

#[derive(Clone, Copy, Debug)]
enum DeviceName {
    Cpu,
    Cuda(usize),
    Metal,
}

const DEVICES: &str = "should be cpu, cuda:N (N = 0, 1, ...) or metal";

fn parse_device(text: &str) -> Result<DeviceName, String> {
    match text.split_once(':') {
        None if text == "cpu" => Ok(DeviceName::Cpu),
        None if text == "metal" => Ok(DeviceName::Metal),
        None if text == "cuda" => Ok(DeviceName::Cuda(0)),
        Some(("cuda", ordinal)) => ordinal.parse().map(DeviceName::Cuda).map_err(|_| DEVICES.into()),
        _ => Err(DEVICES.into()),
    }
}

impl DeviceName {
    fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !candle_core::utils::cuda_is_available() => {
                bail!("--device cuda: this program was built without CUDA; build it with `--features cuda`")
            }
            Self::Cuda(ordinal) => {
                Device::new_cuda(ordinal).with_context(|| format!("cannot use CUDA device {ordinal}"))
            }
            Self::Metal if !candle_core::utils::metal_is_available() => {
                bail!(
                    "--device metal: this program was built without Metal; build it with `--features metal`"
                )
            }
            Self::Metal => Device::new_metal(0).context("cannot use the Metal device"),
        }
    }
}
