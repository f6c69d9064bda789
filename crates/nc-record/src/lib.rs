#![doc = include_str!("../README.md")]

mod error;
mod event;
mod result;
mod run_dir;

pub use error::{Error, Result};
pub use event::{EpochLosses, Event, EventLog, ShotAccuracy, Timing};
pub use result::{BestEpoch, DataSummary, RunResult};
pub use run_dir::RunDir;

/// The version of the events and results this crate writes.
pub const FORMAT_VERSION: u32 = 1;
