//! The configuration of a run: types, merging and validation.

mod adamw;
mod centers;
mod contrast;
mod data;
mod experiment;
mod limits;
mod model;
mod objective;
mod optimizer;
mod phase;
mod schedule;
mod settings;
mod sgd;
mod trains;
mod valid;
mod validate;

pub use adamw::AdamWConfig;
pub use centers::{CenterInit, Centers};
pub use contrast::{Contrast, Queue, UniformTargets};
pub use data::{DataConfig, DataSource, Streaming, Validation, ValidationMeasure};
pub use experiment::{EvaluationConfig, Experiment, Keep};
pub(crate) use limits::MOST_EPOCHS;
pub use model::{BackboneKind, Branches, ModelConfig, Precision};
pub use objective::{
    Diversity, LossViews, NeuralCollapse, Objective, Reweighting, Space, Uniformity, WithinForm,
};
pub use optimizer::OptimizerConfig;
pub use phase::Phase;
pub use schedule::{Decay, Schedule};
pub use settings::Settings;
pub use sgd::SgdConfig;
pub use trains::{FrozenBatchNorm, Trains};
pub use valid::ValidExperiment;
