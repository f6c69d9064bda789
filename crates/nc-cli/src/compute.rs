//! Arguments for the device, threads and data directory.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use candle_core::Device;
use nc_data::download::{Manifest, is_installed};
use nc_kernels::{gpu, threads};
use nc_record::{ProgramSummary, RunDir};
use nc_train::{DataSource, RunOptions, presets::ImageDirectory};

use crate::{loading::Loading, terminal::say};

// No argument group: several commands flatten these arguments, and group names must be unique.
#[derive(Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Args {
    /// Directory of the images, for data sets read from files [default: for an existing run, its training directory;
    /// otherwise the directory of `nclt download`].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
    /// Threads that decode and augment batches ahead of the training step. Does not change the result.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    loader_threads: u16,
    /// Device: cpu; cuda or cuda:N for an NVIDIA GPU, by kernels that any build has; candle-cuda, candle-cuda:N or metal for
    /// Candle's own operations, in a build for them.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = parse_device)]
    device: DeviceName,
}

impl Args {
    /// Starts the thread pool and opens the device for images of `source`. The data directory defaults to the one
    /// recorded in the run directory `run`.
    pub(crate) fn start(&self, source: DataSource, run: Option<&Path>) -> Result<RunOptions> {
        self.threads.start()?;
        let remembered = || remembered_data_dir(run?);
        let data_dir = match self.data_dir.clone().or_else(remembered) {
            Some(data_dir) => Some(data_dir),
            None => downloaded(source)?,
        };
        let defaults = RunOptions::default();
        let processor = match self.device {
            DeviceName::Cpu => format!("{} {}", std::env::consts::ARCH, nc_kernels::instruction_set()?),
            DeviceName::Cuda(_) => "cuda".to_owned(),
            DeviceName::CandleCuda(_) => "candle-cuda".to_owned(),
            DeviceName::Metal => "metal".to_owned(),
        };
        let commit = option_env!("NCLT_COMMIT").map(str::to_owned);
        Ok(RunOptions {
            data_dir,
            device: self.device.open()?,
            loader_threads: self.loader_threads.into(),
            program: ProgramSummary { commit, processor, ..defaults.program },
            ..defaults
        })
    }

    /// Like [`start`](Self::start), for runs on several data sources. `lists` is the directory of image
    /// lists, by default the data directory.
    pub(crate) fn start_all(
        &self,
        sources: &[DataSource],
        lists: Option<&Path>,
    ) -> Result<(RunOptions, BTreeMap<DataSource, Option<PathBuf>>)> {
        let directories = self.data_dirs(sources, lists)?;
        // Only the embedded source needs no directory.
        let options = Self { data_dir: None, ..self.clone() }.start(DataSource::FashionMnistLt, None)?;
        Ok((options, directories))
    }

    /// Data directory of each source; `None` if it needs none or none is known.
    pub(crate) fn data_dirs(
        &self,
        sources: &[DataSource],
        lists: Option<&Path>,
    ) -> Result<BTreeMap<DataSource, Option<PathBuf>>> {
        let directory = |source| match &self.data_dir {
            _ if source == DataSource::ImageList && lists.is_some() => Ok(lists.map(Path::to_owned)),
            Some(data_dir) if source != DataSource::FashionMnistLt => Ok(Some(data_dir.clone())),
            Some(_) => Ok(None),
            None => downloaded(source),
        };
        sources.iter().map(|&source| Ok((source, directory(source)?))).collect()
    }

    /// The directory given as --data-dir, which may have one's own images. Starts the thread pool, which reads them.
    pub(crate) fn images(&self) -> Result<Option<ImageDirectory>> {
        self.threads.start()?;
        Ok(self.data_dir.as_ref().map(|path| ImageDirectory::new(path, Loading::default())))
    }

    /// Number of compute threads, if set.
    pub(crate) fn threads(&self) -> Option<usize> {
        self.threads.threads
    }

    /// Whether the device is a GPU that Slurm allocates.
    pub(crate) fn is_on_gpu(&self) -> bool {
        matches!(self.device, DeviceName::Cuda(_) | DeviceName::CandleCuda(_))
    }

    /// The arguments that differ from their defaults, for another command line.
    pub(crate) fn words(&self) -> Vec<OsString> {
        let mut words = vec![];
        if let Some(directory) = &self.data_dir {
            words.extend(["--data-dir".into(), directory.into()]);
        }
        if let Some(threads) = self.threads() {
            words.extend(["--threads".into(), threads.to_string().into()]);
        }
        if self.loader_threads > 1 {
            words.extend(["--loader-threads".into(), self.loader_threads.to_string().into()]);
        }
        if !matches!(self.device, DeviceName::Cpu) {
            words.extend(["--device".into(), self.device.to_string().into()]);
        }
        words
    }
}

/// Number of compute threads.
#[derive(Clone, clap::Args)]
#[group(skip)]
pub(crate) struct Threads {
    /// Number of compute threads [default: all cores]. Does not change the result.
    #[arg(long, value_name = "N", value_parser = parse_threads)]
    threads: Option<usize>,
}

impl Threads {
    /// Starts the thread pool.
    pub(crate) fn start(&self) -> Result<()> {
        // 0 means all cores.
        Ok(threads::init(self.threads.unwrap_or(0))?)
    }
}

/// Upper limit, because each thread takes memory.
const MOST_THREADS: usize = 1024;

fn parse_threads(text: &str) -> Result<usize, String> {
    let threads = text.parse().ok().filter(|threads| (1..=MOST_THREADS).contains(threads));
    threads.ok_or_else(|| format!("expected a whole number from 1 to {MOST_THREADS}"))
}

/// Data directory recorded by a run, if it still exists.
fn remembered_data_dir(run: &Path) -> Option<PathBuf> {
    let text = std::fs::read_to_string(run.join(RunDir::DATA_DIR)).ok()?;
    let directory = PathBuf::from(text.trim_end());
    if !directory.exists() {
        say(&format!("{} does not exist; the run was trained on its images", directory.display()));
        return None;
    }
    Some(directory)
}

/// Directory of the downloaded files of `source`; `None` if `source` is not downloadable.
fn downloaded(source: DataSource) -> Result<Option<PathBuf>> {
    let Some(name) = crate::download::name(source) else { return Ok(None) };
    let directory = crate::download::default_dir()?;
    let manifest = Manifest::built_in()?;
    if let Some(entry) = manifest.entries.get(name).filter(|entry| is_installed(entry, &directory)) {
        say(&format!("images: {name} in {}", directory.join(&entry.directory).display()));
        return Ok(Some(directory));
    }
    bail!(
        "{name} is not in {}: run `nclt download {name}` (or `cargo xtask download {name}`), or set --data-dir DIR",
        directory.display()
    )
}

#[derive(Clone, Copy, Debug)]
enum DeviceName {
    Cpu,
    Cuda(usize),
    CandleCuda(usize),
    Metal,
}

const DEVICES: &str = "expected cpu, cuda, cuda:N (N = 0, 1, ...), candle-cuda, candle-cuda:N or metal";

fn parse_device(text: &str) -> Result<DeviceName, String> {
    let ordinal = |ordinal: &str| ordinal.parse().map_err(|_| DEVICES.to_owned());
    match text.split_once(':') {
        None if text == "cpu" => Ok(DeviceName::Cpu),
        None if text == "metal" => Ok(DeviceName::Metal),
        None if text == "cuda" => Ok(DeviceName::Cuda(0)),
        None if text == "candle-cuda" => Ok(DeviceName::CandleCuda(0)),
        Some(("cuda", number)) => ordinal(number).map(DeviceName::Cuda),
        Some(("candle-cuda", number)) => ordinal(number).map(DeviceName::CandleCuda),
        _ => Err(DEVICES.into()),
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(ordinal) => write!(f, "cuda:{ordinal}"),
            Self::CandleCuda(ordinal) => write!(f, "candle-cuda:{ordinal}"),
            Self::Metal => f.write_str("metal"),
        }
    }
}

impl DeviceName {
    fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(ordinal) => {
                let gpu = gpu::Device::cuda(ordinal).with_context(|| format!("--device {self}"))?;
                gpu::start(gpu)?;
                say("note: the CUDA kernels are tested under an emulator and have not run on a GPU yet");
                // Tensors stay on the CPU.
                Ok(Device::Cpu)
            }
            Self::CandleCuda(_) if !candle_core::utils::cuda_is_available() => {
                bail!(
                    "--device {self}: this program was built without Candle's CUDA; rebuild it with `cargo xtask build --cuda`, \
                     or use --device cuda"
                )
            }
            Self::CandleCuda(ordinal) => {
                gpu::candle_cuda(ordinal).with_context(|| format!("cannot use CUDA device {ordinal}"))
            }
            Self::Metal if !candle_core::utils::metal_is_available() => {
                bail!(
                    "--device metal: this program was built without Metal; rebuild it with `cargo xtask build --metal`"
                )
            }
            Self::Metal => Device::new_metal(0).context("cannot use the Metal device"),
        }
    }
}
