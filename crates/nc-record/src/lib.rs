//! What a training run leaves behind: its directory, its events, its result.
//!
//! ```text
//! runs/<name>-seed<seed>-<hash>/
//!   config.toml          the resolved configuration; can be run again
//!   events.jsonl         one JSON object a line, see [`Event`]
//!   result.json          see [`RunResult`]; written last, so it stands only in finished runs
//!   weights.safetensors  parameters after the last epoch
//! ```
//!
//! Every whole file is written beside its place, synced and renamed, see [`RunDir::write`]. Events and results
//! carry [`FORMAT_VERSION`]. Wall times stand in a `timing` object of their own: everything else is the same
//! whenever the same run is repeated.

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
