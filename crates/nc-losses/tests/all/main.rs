//! The losses against known answers, finite differences, edges and invariances.

mod edges;
mod finite_differences;
mod golden;
mod invariances;
mod support;
mod threads;
