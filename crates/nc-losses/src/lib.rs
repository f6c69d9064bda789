//! Neural-collapse regularisers and long-tail losses for Candle.

mod between_class;
mod center_loss;
mod check;
mod class_means;
mod class_weights;
mod cross_entropy;
mod distance;
mod error;
mod mixed;
mod mse;
mod soft_cross_entropy;
mod softmax;
mod within_class;

pub use between_class::{BetweenForm, between_class};
pub use center_loss::center_loss;
pub use check::check_labels;
pub use class_means::{ClassMeans, class_means};
pub use class_weights::{effective_number, inverse_frequency};
pub use cross_entropy::{
    cross_entropy, smoothed_cross_entropy, weighted_cross_entropy, weighted_smoothed_cross_entropy,
};
pub use error::{Error, Result};
pub use mixed::mixed;
pub use mse::mse;
pub use soft_cross_entropy::soft_cross_entropy;
pub use within_class::within_class;
