use std::{path::PathBuf, time::Duration};

use candle_core::Device;
use nc_record::{ProgramSummary, Rhythm};

/// What a run needs to know and what does not change its result.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Where the source's files are, for sources that are read from files.
    pub data_dir: Option<PathBuf>,
    /// Where the model runs.
    pub device: Device,
    /// The directory in which run directories are made, named after experiment, seed and hash.
    pub out: PathBuf,
    /// The run's own directory, in place of one in `out`.
    pub directory: Option<PathBuf>,
    /// Threads that prepare batches, besides the one that trains.
    pub loader_threads: usize,
    /// After how many epochs of a phase neural collapse is measured on the training images and the test images, and after
    /// its last epoch; 0 for never. None for whenever the test set is looked at.
    pub measure_every: Option<usize>,
    /// How often a checkpoint is written, besides the one after the last step; the newest two are kept until the run is
    /// done.
    pub checkpoint_every: CheckpointEvery,
    /// Start from the beginning, whatever earlier runs of the same experiment left.
    pub fresh: bool,
    /// How the run directory is kept from other processes.
    pub rhythm: Rhythm,
    /// The program, for records.
    pub program: ProgramSummary,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
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
                processor: std::env::consts::ARCH.to_owned(),
            },
        }
    }
}

/// How often a run writes a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointEvery {
    /// After so many steps of the run.
    Steps(u64),
    /// When so much time has passed since the last.
    Time(Duration),
}

/// A minute: what a killed run loses at most.
impl Default for CheckpointEvery {
    fn default() -> Self {
        Self::Time(Duration::from_mins(1))
    }
}
