//! Configuration schema, derived from the serde types. Drives validation, error messages and `docs/configuration.md`.

mod check;
mod json_schema;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use check::{check, element_name};
pub use reference::reference;
