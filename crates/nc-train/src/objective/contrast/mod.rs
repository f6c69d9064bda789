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

pub(super) use build::term;
