#![doc = include_str!("../README.md")]

mod checkpoint;
mod claim;
mod error;
mod event;
mod features;
mod figures;
mod result;
mod run_dir;
mod tensorboard;

pub use checkpoint::{Array, Checkpoint};
pub use claim::{Claim, Holder, Rhythm};
pub use error::{Error, Result};
pub use event::{EpochLosses, Event, EventLog, ShotAccuracy, Timing};
pub use features::{Features, TestFeatures};
pub use figures::{Figures, figures};
pub use result::{BestEpoch, DataSummary, RunResult, SelectedEpoch};
pub use run_dir::{RunDir, write_atomically};
pub use tensorboard::TensorBoard;

/// The version of the records this crate writes: events, results, checkpoints, claims.
pub const FORMAT_VERSION: u32 = 1;
