//! Neural-collapse geometry, accuracy by class and shot group, and calibration of any feature set. Takes slices of
//! `f32` or `f64`, computes in `f64`, does not need Candle.
//!
//! [`FeatureSet::analyze`] computes all metrics of training and test features with their classifier.
//! [`NeuralCollapse::of`], [`Accuracy::of`] and [`Calibration::of`] compute one group for data in memory. For data that
//! exceeds memory, [`AccuracyAccumulator`] and [`CalibrationAccumulator`] take pieces of any size;
//! [`ClassMeansAccumulator`] and [`NeuralCollapseAccumulator`] take features in two passes, and the second pass can
//! also measure test features about the means of training features.
//!
//! Conventions: K classes, n_k samples of class k, features h_i of dimension P in rows, mu_k the mean of class k, mu_C
//! the mean of the class means (not of the samples), m_k = mu_k - mu_C. Classes without samples are excluded from the
//! geometry, and K counts the others. Use features of a frozen network in evaluation mode on un-augmented data. An
//! undefined metric, such as the angle of a zero vector, is `None` (null in JSON), never NaN.
//!
//! Precision: a metric that may be pure rounding error of the features' own type is undefined. With
//! r = epsilon * max_k ||mu_k||, where epsilon is the machine epsilon of `f32` or `f64`:
//!
//! - class means closer than r coincide, and a mean closer than r to mu_C has no direction;
//! - directions m_k / ||m_k|| closer than 2 r / min_k ||m_k|| coincide;
//! - a within-class variance of at most (r/2)^2, but not exactly 0, is undefined, unless (r/2)^2 is below 1e-7 tr(S_B):
//!   then the features have collapsed as far as their type can represent.
//!
//! 64-bit features are measured relative to the first sample and scaled by a power of two, so that a large common
//! offset or a tiny scale costs no precision.
//!
//! Passes over samples run in parallel with rayon; the same input in the same pieces gives identical bits for any
//! number of threads.
//!
//! ```
//! use nc_metrics::NeuralCollapse;
//!
//! let features = [0.0, 2.0, 0.0, 2.2, 2.0, 0.0, 1.8, 0.0]; // two samples of each of two classes
//! let nc = NeuralCollapse::of(&features, &[0, 0, 1, 1], 2, 2, None)?;
//! assert!(nc.nc1.trace.sample_weighted.unwrap() < 0.01); // nearly collapsed
//! assert!(nc.nc2.centered_means.min_angle_degrees.unwrap() > 179.9); // of two classes, about their middle
//! # Ok::<(), nc_metrics::Error>(())
//! ```

mod accuracy;
mod analysis;
mod calibration;
mod class_means;
mod classifier;
mod directions;
mod duality;
mod error;
mod etf;
mod least_squares;
mod linalg;
mod minority;
mod nearest_mean;
mod neural_collapse;
mod orthogonal_frame;
mod projection;
mod scalar;
mod seli;
mod shot_group;
mod within;

pub use accuracy::{Accuracy, AccuracyAccumulator, predictions};
pub use analysis::{Analysis, FeatureSet, Geometry, Measured, Samples};
pub use calibration::{Calibration, CalibrationAccumulator, ReliabilityBin};
pub use class_means::{ClassMeans, ClassMeansAccumulator};
pub use classifier::Classifier;
pub use directions::Directions;
pub use duality::Nc3;
pub use error::{Error, Result};
pub use etf::{etf_angle_degrees, etf_exists, largest_min_angle_degrees};
pub use least_squares::{MseAccumulator, MseDecomposition, MseParts};
pub use minority::{MinorityCollapse, PairMean};
pub use nearest_mean::{Nc4, NearestMeanAccumulator};
pub use neural_collapse::{Minority, Nc2, NeuralCollapse, NeuralCollapseAccumulator};
pub use orthogonal_frame::OrthogonalFrame;
pub use projection::{ProjectedSample, Projection};
pub use scalar::Scalar;
pub use seli::{Seli, SeliTargets};
pub use shot_group::{ShotClasses, ShotGroup};
pub use within::{Nc1, Weighted, WithinAccumulator};

/// Compiles and runs the README's code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
