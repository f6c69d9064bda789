use std::sync::Arc;

use super::node::Node;
use super::record::Record;

/// Activations on a GPU, and the record that computes them.
#[derive(Clone)]
pub(crate) struct OnGpu {
    pub(crate) node: Arc<Node>,
    pub(super) record: Arc<Record>,
}
