#![doc = include_str!("../README.md")]

mod config;
mod data;
mod digest;
mod divergence;
mod error;
mod estimate;
mod examples;
mod inference;
mod init;
mod learner;
mod losses;
mod network;
mod objective;
mod observer;
mod onnx;
mod optimizer;
mod options;
mod post_hoc;
mod predictor;
pub mod presets;
pub mod queue;
mod run;
mod samples;
mod schema;
mod source;
mod stable_rate;
mod stored;
mod trained;
mod weight_average;
mod with_values;

pub use config::{
    AdamWConfig, BackboneKind, Branches, CenterInit, Centers, Contrast, DataConfig, DataSource, Decay,
    Diversity, EvaluationConfig, Experiment, FrozenBatchNorm, Keep, LossViews, ModelConfig, NeuralCollapse,
    Objective, OptimizerConfig, Phase, Precision, Queue, Reweighting, Schedule, Settings, SgdConfig, Space,
    Streaming, Trains, UniformTargets, Uniformity, ValidExperiment, Validation, ValidationMeasure,
    WithinForm,
};
pub use divergence::{Diverged, NotFinite};
pub use error::{Error, Result};
pub use estimate::{DataFacts, Speed, epochs_within};
pub use inference::Evaluation;
pub use init::weights_sha256;
pub use learner::{Learner, StepOutcome};
pub use losses::{
    ClassBalancedDotRegression, Counts, CrossEntropy, DifficultyMargin, DotRegression, Focal, InverseSoftmax,
    LabelAwareSmoothing, Ldam, LogitAdjustment, MeanSquaredError, SupervisedLoss, VectorScaling,
};
/// Long-tail profile and sampler.
pub use nc_data::{Profile, Sampler};
/// Form of L_B, and samples with a growing margin.
pub use nc_losses::{BetweenForm, DifficultSamples};
/// Neural-collapse metrics of training and test features.
pub use nc_metrics::Geometry;
/// A classifier head.
pub use nc_models::HeadConfig;
pub use observer::{Observer, Resumed, Step};
pub use onnx::OnnxExport;
pub use optimizer::{AdamW, Sgd, Trainable};
pub use options::{CheckpointEvery, RunOptions};
pub use post_hoc::{NearestClassMean, PostHoc, PostHocAdjustment, TauNormalization};
pub use predictor::{Prediction, Predictor};
pub use run::{Finished, RunResult, run_directory, train, train_backbone};
pub use schema::reference;
pub use trained::Trained;
