//! Runs: start, phases, evaluation, checkpoints and result.

mod checkpoint;
mod continuation;
mod phase;
mod progress;
mod request;
mod result;
mod start;
mod train;
mod validation_pass;

pub use result::{Finished, RunResult};
pub use train::{run_directory, train, train_backbone};
