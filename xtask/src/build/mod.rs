//! Building `nclt` for an accelerator: what the build needs is looked for first, since Candle's build scripts say badly
//! what is missing.

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
