#![doc = include_str!("../README.md")]

mod adjust;
mod centers;
mod checkpoint;
mod criterion;
mod data;
mod data_config;
mod diverged;
mod error;
mod estimate;
mod evaluate;
mod experiment;
mod finished;
mod look;
mod methods;
mod network;
mod objective;
mod observer;
mod optimizer;
mod options;
mod phase;
pub mod presets;
mod resume;
mod run;
mod schedule;
mod schema;
mod settings;
mod suggest;
mod trained;
mod validate;

pub use centers::{CenterInit, Centers};
pub use data_config::{DataConfig, DataSource, Profile, Validation};
pub use diverged::{Diverged, NotFinite};
pub use error::{Error, Result};
pub use estimate::{DataFacts, Speed};
pub use evaluate::Evaluation;
pub use experiment::{
    BackboneKind, EvaluationConfig, Experiment, HeadKind, ModelConfig, Phase, SamplerKind, Trains,
};
pub use methods::{
    ClassBalancedDotRegression, Counts, CrossEntropy, DotRegression, Focal, LabelAwareSmoothing, Ldam,
    LogitAdjustment, MeanSquaredError, NearestClassMean, PostHoc, PostHocAdjustment, SupervisedLoss,
    TauNormalization,
};
/// Neural collapse of training and test features, as results hold it.
pub use nc_metrics::Geometry;
pub use objective::{BetweenForm, NeuralCollapse, Objective, Reweighting, WithinForm};
pub use observer::{Observer, Resumed, Step};
pub use optimizer::{Sgd, SgdConfig};
pub use options::{CheckpointEvery, RunOptions};
pub use run::{Finished, RunResult, train, train_backbone};
pub use schedule::{Decay, Schedule};
pub use schema::reference;
pub use settings::Settings;
pub use trained::Trained;
