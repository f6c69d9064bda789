//! Arguments that say where to compute and where the images are.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    thread::available_parallelism,
};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use nc_data::download::{Manifest, is_installed};
use nc_kernels::threads;
use nc_train::{DataSource, RunOptions};

#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Where the images are, for sources that are read from files [default: where `nclt download` puts them].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Threads to compute with [default: all cores]. The result does not depend on it.
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Where to compute: cpu, cuda:N or metal.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = parse_device)]
    device: DeviceName,
}

impl Args {
    /// Starts the threads and opens the device, for a run on `source`.
    pub(crate) fn start(&self, source: DataSource) -> Result<RunOptions> {
        if self.threads == Some(0) {
            bail!("--threads 0: should be at least 1");
        }
        threads::init(self.threads())?;
        let data_dir = match &self.data_dir {
            Some(data_dir) => Some(data_dir.clone()),
            None => downloaded(source)?,
        };
        Ok(RunOptions { data_dir, device: self.device.open()?, ..RunOptions::default() })
    }

    /// The same for runs on several sources, of which those in the program need no directory.
    pub(crate) fn start_all(
        &self,
        sources: &[DataSource],
    ) -> Result<(RunOptions, BTreeMap<DataSource, Option<PathBuf>>)> {
        let mut directories = BTreeMap::new();
        for &source in sources {
            let directory = match &self.data_dir {
                Some(data_dir) if source != DataSource::FashionMnistLt => Some(data_dir.clone()),
                Some(_) => None,
                None => downloaded(source)?,
            };
            directories.insert(source, directory);
        }
        // Of the sources, only the embedded one needs none.
        let options = Self { data_dir: None, ..self.clone() }.start(DataSource::FashionMnistLt)?;
        Ok((options, directories))
    }

    /// Threads to compute with.
    pub(crate) fn threads(&self) -> usize {
        self.threads.unwrap_or_else(|| available_parallelism().map_or(1, Into::into))
    }

    /// Where the images are, if that was said.
    pub(crate) fn data_dir(&self) -> Option<&Path> {
        self.data_dir.as_deref()
    }
}

/// Where `nclt download` puts the files of `source`, if it does.
fn downloaded(source: DataSource) -> Result<Option<PathBuf>> {
    let Some(name) = crate::download::name(source) else { return Ok(None) };
    let directory = crate::download::default_dir()?;
    let manifest = Manifest::built_in()?;
    if manifest.entries.get(name).is_some_and(|entry| is_installed(entry, &directory)) {
        return Ok(Some(directory));
    }
    bail!(
        "{name} is not in {}: fetch it with `nclt download {name}` (or `cargo xtask download {name}`), or say where \
         the images are with --data-dir DIR",
        directory.display()
    )
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
