use std::{path::PathBuf, time::Duration};

use candle_core::Device;
use nc_record::{ProgramSummary, Rhythm};

/// Options of a run that do not change its result, except by the content of the files.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Directory of the images, for sources read from files.
    pub data_dir: Option<PathBuf>,
    /// Weights in the safetensors format to start from, in place of a random initialisation: those of a run, or a
    /// PyTorch `state_dict`. The run depends on the content of the file: its SHA-256 becomes `model.init_sha256` of the
    /// configuration. A run that has a checkpoint resumes without the file.
    pub init_from: Option<PathBuf>,
    /// Compute device.
    pub device: Device,
    /// Parent of the run directories, which are named after experiment, seed and hash.
    pub out: PathBuf,
    /// Run directory, in place of one in `out`.
    pub directory: Option<PathBuf>,
    /// Loader threads, in addition to the training thread.
    pub loader_threads: usize,
    /// Interval in epochs at which neural collapse is measured on training and test images; the last epoch of a phase
    /// is included. 0 disables it; `None` measures at each evaluation.
    pub measure_every: Option<usize>,
    /// Checkpoint interval; a checkpoint is also written after the last step. The newest two are kept until the run is
    /// finished.
    pub checkpoint_every: CheckpointEvery,
    /// Start over, ignoring earlier results and checkpoints.
    pub fresh: bool,
    /// Timing of the lock on the run directory.
    pub rhythm: Rhythm,
    /// Program and machine, stored in the result.
    pub program: ProgramSummary,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            init_from: None,
            device: Device::Cpu,
            out: "runs".into(),
            directory: None,
            loader_threads: 1,
            measure_every: None,
            checkpoint_every: CheckpointEvery::default(),
            fresh: false,
            rhythm: Rhythm::default(),
            program: ProgramSummary {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                commit: None,
                command: None,
                processor: std::env::consts::ARCH.to_owned(),
            },
        }
    }
}

/// Checkpoint interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// Interval in steps of the run.
    Steps(u64),
    /// Wall time since the previous checkpoint.
    Time(Duration),
}

/// One minute, which bounds the work that a killed run loses.
impl Default for CheckpointEvery {
    fn default() -> Self {
        Self::Time(Duration::from_mins(1))
    }
}
