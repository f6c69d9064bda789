#![doc = include_str!("../README.md")]

mod criterion;
mod data;
mod diverged;
mod error;
mod evaluate;
mod experiment;
mod objective;
mod observer;
mod optimizer;
mod phase;
pub mod presets;
mod resume;
mod run;
mod schedule;
mod settings;
mod suggest;
mod supervised;
mod trained;
mod validate;

pub use diverged::{Diverged, NotFinite};
pub use error::{Error, Result};
pub use evaluate::Geometry;
pub use experiment::{
    BackboneKind, DataConfig, DataSource, EvaluationConfig, Experiment, HeadKind, ModelConfig, Phase,
    Profile, SamplerKind, Trains, Validation,
};
pub use objective::{BetweenForm, CenterInit, Centers, NeuralCollapse, Objective, Reweighting};
pub use observer::{Observer, Resumed, Step};
pub use optimizer::{Sgd, SgdConfig};
pub use resume::CheckpointEvery;
pub use run::{Finished, RunOptions, RunResult, train, train_backbone};
pub use schedule::{Decay, Schedule};
pub use settings::Settings;
pub use supervised::{Counts, SupervisedLoss};
pub use trained::{Evaluation, Trained};
