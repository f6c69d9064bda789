#![doc = include_str!("../README.md")]

mod atomic;
mod checkpoint;
mod claim;
mod decisions;
mod error;
mod event;
mod event_log;
mod examples;
mod expert;
mod features;
mod figures;
mod holder;
mod input;
mod result;
mod run_dir;
mod samples;
mod shell;
mod tensorboard;
mod version;

pub use atomic::write_atomically;
pub use checkpoint::{Array, Checkpoint};
pub use claim::{Claim, Rhythm};
pub use decisions::Decisions;
pub use error::{Error, Result};
pub use event::{AverageAccuracy, EpochLosses, Event, ShotAccuracy, Timing};
pub use event_log::EventLog;
pub use examples::{ClassMistakes, Examples, Mistake};
pub use expert::Expert;
pub use features::{Features, Floats, TestFeatures};
pub use figures::{Figures, figures};
pub use holder::Holder;
pub use input::{InputSpec, Resize};
pub use result::{
    AveragedWeights, BestEpoch, DataSummary, NetworkSummary, ProgramSummary, RunResult, SelectedEpoch,
};
pub use run_dir::RunDir;
pub use samples::{ImageSample, Samples};
pub use shell::shell_word;
pub use tensorboard::TensorBoard;
pub use version::FORMAT_VERSION;
