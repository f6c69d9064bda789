//! Benchmarks, and the page of their measurements.

mod against;
mod bf16;
mod command;
mod criterion;
mod files;
mod machine;
mod methods;
mod page;
mod parity;
mod program;
mod step;
mod transforms;

pub(crate) use command::Args;
