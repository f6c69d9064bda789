//! The objective of a phase: a list of stateful terms.

mod centers;
mod contrast;
mod cumulative_learning;
mod diversity;
mod embeddings;
mod neural_collapse;
mod sum;
mod supervised;
mod targets;
mod term;
mod terms;
mod uniformity;

pub(crate) use sum::sum;
pub(crate) use targets::{Labels, Targets};
pub(crate) use term::{EpochContext, MeasureMeans, Part, StepContext, Term};
pub(crate) use terms::terms;
