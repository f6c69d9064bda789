//! What a configuration may hold: read off the types it becomes, and the one source of what is checked, said about a
//! wrong value, and written in the reference.

mod check;
mod node;
mod range;
mod reference;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use schemars::{SchemaGenerator, generate::SchemaSettings};
use toml::Value;

use crate::{Experiment, Result};
use node::Node;
pub use reference::reference;

/// The whole configuration.
static EXPERIMENT: LazyLock<Node> = LazyLock::new(|| {
    let settings = SchemaSettings::default().with(|settings| settings.inline_subschemas = true);
    let schema = SchemaGenerator::new(settings).into_root_schema_for::<Experiment>();
    Node::read(schema.as_value())
});

/// Refuses the first unknown, missing or mistyped key of a configuration, and the first number out of its range.
pub(crate) fn check(config: &Value) -> Result<()> {
    check::value(&EXPERIMENT, config, "")
}
