//! Runs: start, phases, evaluation, checkpoints and result.

mod checkpoint;
mod continuation;
mod directory;
mod phase;
mod progress;
mod request;
mod result;
mod start;
mod train;
mod validation_pass;

pub use directory::run_directory;
pub use result::{Finished, RunResult};
pub use train::{train, train_backbone};
