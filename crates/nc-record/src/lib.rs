#![doc = include_str!("../README.md")]

mod error;
mod event;
mod features;
mod result;
mod run_dir;

pub use error::{Error, Result};
pub use event::{EpochLosses, Event, EventLog, ShotAccuracy, Timing};
pub use features::Features;
pub use result::{BestEpoch, DataSummary, RunResult, SelectedEpoch};
pub use run_dir::{RunDir, write_atomically};

/// The version of the events and results this crate writes.
pub const FORMAT_VERSION: u32 = 1;
