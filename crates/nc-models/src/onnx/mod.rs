//! Export to ONNX: a network with its input normalisation as one file for other runtimes.
//!
//! [`export`] encodes a [`Network`](crate::Network). Backbones, heads and layers add their own nodes to a [`Graph`]; a
//! custom [`Backbone`](crate::Backbone) is exportable if it implements `add_to`.

mod export;
mod graph;
mod message;
#[cfg(test)]
mod tests;

pub use export::{Channel, Description, Input, export};
pub use graph::{Attribute, Graph, Value};
