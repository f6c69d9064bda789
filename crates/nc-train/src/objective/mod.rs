//! The objective of a phase as a list of terms, each with its own state.

mod centers;
mod neural_collapse;
mod supervised;
mod targets;
mod term;
mod terms;

pub(crate) use targets::{Labels, Targets};
pub(crate) use term::{EpochContext, Part, StepContext, Term};
pub(crate) use terms::terms;
