//! The losses against known answers and finite differences, at edge cases, and their invariances.

mod bits;
mod contrastive;
mod contrastive_edges;
mod edges;
mod finite_differences;
mod golden;
mod invariances;
mod per_sample;
mod scaling_and_margins;
mod support;
mod threads;
