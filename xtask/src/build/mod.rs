//! Builds of `nclt` for an accelerator. Prerequisites are checked first, because Candle's build scripts report missing
//! ones poorly.

mod accelerators;
mod command;
mod cuda;
mod host_compiler;
mod libraries;
mod plan;
#[cfg(test)]
mod tests;
mod tools;

pub(crate) use accelerators::Accelerators;
pub(crate) use command::Args;
pub(crate) use plan::Plan;
