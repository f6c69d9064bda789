//! The figures against known answers, invariances, hand computation and the edges of what is defined.

mod counting;
mod edges;
mod geometry;
mod golden;
