//! Neural-collapse regularisers and long-tail losses for Candle.
//!
//! Pure functions on tensors, without state, configuration structs or a framework. Each takes `f32` or `f64` tensors
//! (in mixed precision, cast logits and features to `f32` first), checks its arguments and runs on any device. Losses
//! and regularisers return a differentiable scalar. Functions named `.._each` return per-sample losses, to which class
//! weights and other reductions apply: class-balanced focal loss, for example, is
//! `focal_each(..)?.weighted(labels, weights)?.mean()`.
//!
//! | | |
//! |---|---|
//! | supervised | [`cross_entropy`], [`weighted_cross_entropy`], [`smoothed_cross_entropy`], [`weighted_smoothed_cross_entropy`], [`soft_cross_entropy`], [`mse`] |
//! | long-tailed | [`adjusted_logits`] (logit adjustment, balanced softmax, ARB), [`vector_scaled_logits`] (VS loss), [`with_margins`] (LDAM), [`with_angular_margins`] (DBM), [`focal`], [`dot_regression`], [`class_balanced_dot_regression`], [`label_aware_smoothing`] |
//! | several experts | [`diversity`] and [`diversity_temperatures`] (RIDE), [`inverse_softmax_logits`] (SADE) |
//! | contrastive | [`contrastive_each`] (SupCon, FCL, KCL, TSC, BCL, PaCo), [`supervised_contrastive_each`], [`balanced_contrastive_each`], [`von_mises_fisher_logits`] (ProCo); targets of TSC: [`uniform_targets`], [`assign_targets`] |
//! | regularisers | [`within_class`] (L_W), [`between_class`] (L_B), [`center_loss`], [`uniformity`] |
//! | per-sample | [`cross_entropy_each`], [`smoothed_cross_entropy_each`], [`mse_each`], [`focal_each`], [`label_aware_smoothing_each`], [`dot_regression_each`]; reduced by [`PerSample`] |
//! | helpers | [`mixed`] (mix-up), [`class_means`], [`class_means_by`], [`effective_number`], [`inverse_frequency`], [`inverse_power`], [`ldam_margins`], [`angular_margins`], [`check_labels`] |
//!
//! The regularisers are those of Liu et al., "Inducing Neural Collapse in Deep Long-tailed Learning",
//! AISTATS 2023 (eq. 13-16): with features h, labels y and learnable class centres c, training minimises
//!
//! ```text
//! L = L_sup + lambda1 L_W(h, y, c) + lambda2 L_B(c)
//! ```
//!
//! # In a plain Candle loop
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use candle_nn::{Optimizer, SGD};
//! use nc_losses::{BetweenForm, between_class, cross_entropy, within_class};
//!
//! let (lambda1, lambda2, alpha) = (0.01, 0.1, 0.5);
//! let x = Tensor::new(&[[1f32, 0.2], [0.9, 0.1], [-0.2, 1.0], [-1.0, -0.8]], &Device::Cpu)?;
//! let labels = Tensor::new(&[0u32, 0, 1, 2], &Device::Cpu)?;
//!
//! let body = Var::randn(0f32, 1.0, (2, 8), x.device())?;
//! let head = Var::randn(0f32, 1.0, (8, 3), x.device())?;
//! let centers = Var::randn(0f32, 1.0, (3, 8), x.device())?;
//! let mut model_sgd = SGD::new(vec![body.clone(), head.clone()], 0.1)?;
//! // The centres use their own plain SGD, on grad(L) / lambda1.
//! let mut center_sgd = SGD::new(vec![centers.clone()], alpha / lambda1)?;
//!
//! for _ in 0..20 {
//!     let features = x.matmul(&body)?.relu()?;
//!     let supervised = cross_entropy(&features.matmul(&head)?, &labels)?;
//!     let within = within_class(&features, &labels, &centers)?;
//!     let between = between_class(&centers, BetweenForm::MeanMinAngle)?;
//!     let loss = ((supervised + within * lambda1)? + between * lambda2)?;
//!     let gradients = loss.backward()?;
//!     model_sgd.step(&gradients)?;
//!     center_sgd.step(&gradients)?;
//! }
//! # Ok::<(), nc_losses::Error>(())
//! ```
//!
//! `examples/plain_loop.rs` runs this loop on long-tailed data and prints loss and angles.
//!
//! # Features
//!
//! - `serde`: implements the serde and schemars traits for [`BetweenForm`] and [`DifficultSamples`].
//! - `cuda`, `cudnn`, `metal`: enable the Candle features of the same name.
//!
//! # Labels
//!
//! Labels are `u32`, on the device of the logits. Every call checks them on the CPU. On other devices a check would
//! synchronise, so only [`class_means`] checks, which needs the labels on the host anyway; [`check_labels`] checks on
//! demand.

mod adjusted_logits;
mod assign_targets;
mod balanced_contrastive;
mod bessel;
mod between_class;
mod center_loss;
mod check;
mod class_means;
mod class_weights;
mod contrastive;
mod cross_entropy;
mod difficulty_margins;
mod distance;
mod diversity;
mod dot_regression;
mod error;
mod focal;
mod inverse_softmax;
mod label_aware_smoothing;
mod ldam;
mod mixed;
mod mse;
mod per_sample;
mod soft_cross_entropy;
mod softmax;
mod uniform_targets;
mod uniformity;
mod vector_scaling;
mod von_mises_fisher;
mod within_class;

pub use adjusted_logits::adjusted_logits;
pub use assign_targets::assign_targets;
pub use balanced_contrastive::balanced_contrastive_each;
pub use between_class::{BetweenForm, between_class};
pub use center_loss::center_loss;
pub use check::check_labels;
pub use class_means::{ClassMeans, class_means, class_means_by};
pub use class_weights::{effective_number, inverse_frequency, inverse_power};
pub use contrastive::{contrastive_each, supervised_contrastive_each};
pub use cross_entropy::{
    cross_entropy, cross_entropy_each, smoothed_cross_entropy, smoothed_cross_entropy_each,
    weighted_cross_entropy, weighted_smoothed_cross_entropy,
};
pub use difficulty_margins::{DifficultSamples, angular_margins, with_angular_margins};
pub use diversity::{diversity, diversity_temperatures};
pub use dot_regression::{class_balanced_dot_regression, dot_regression, dot_regression_each};
pub use error::{Error, Result};
pub use focal::{focal, focal_each};
pub use inverse_softmax::inverse_softmax_logits;
pub use label_aware_smoothing::{label_aware_smoothing, label_aware_smoothing_each};
pub use ldam::{ldam_margins, with_margins};
pub use mixed::mixed;
pub use mse::{mse, mse_each};
pub use per_sample::{ClassCount, PerSample};
pub use soft_cross_entropy::soft_cross_entropy;
pub use uniform_targets::uniform_targets;
pub use uniformity::uniformity;
pub use vector_scaling::vector_scaled_logits;
pub use von_mises_fisher::von_mises_fisher_logits;
pub use within_class::within_class;

/// Compiles and runs the README's code.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
