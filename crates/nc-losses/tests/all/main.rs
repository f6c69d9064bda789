//! The losses against known answers, finite differences, edges and invariances.

mod bits;
mod edges;
mod finite_differences;
mod golden;
mod invariances;
mod per_sample;
mod support;
mod threads;
