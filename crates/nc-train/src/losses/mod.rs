//! Supervised losses of a configuration, with their settings. nc-losses implements the formulas.

mod cross_entropy;
mod difficulty_margin;
mod dot_regression;
mod focal;
mod inverse_softmax;
mod label_aware_smoothing;
mod ldam;
mod logit_adjustment;
mod loss;
mod mse;
mod supervised;
mod vector_scaling;

pub use cross_entropy::CrossEntropy;
pub use difficulty_margin::DifficultyMargin;
pub use dot_regression::{ClassBalancedDotRegression, DotRegression};
pub use focal::Focal;
pub use inverse_softmax::InverseSoftmax;
pub use label_aware_smoothing::LabelAwareSmoothing;
pub use ldam::Ldam;
pub use logit_adjustment::{Counts, LogitAdjustment};
pub use mse::MeanSquaredError;
pub use supervised::SupervisedLoss;
pub use vector_scaling::VectorScaling;

use loss::SOFTMAX_CURVATURE;
pub(crate) use loss::{Labelled, Loss};
