//! Contrastive losses.

mod balanced;
mod build;
mod class_means;
mod momentum_encoder;
mod positives;
mod probabilistic;
mod queue;
mod supervised;
mod targets;
mod unit_rows;

pub(super) use build::term;
