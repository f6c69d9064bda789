//! The state that a convolution's forward keeps for its backward.

use std::sync::Arc;

use candle_core::Tensor;

use super::job::Convolution;
use super::node::{LazyNorm, Node};
use super::parameters::ParameterSlot;
use super::source::Source;
use super::subsample::Subsample;
use crate::buffer::Buffer;

/// A layer's batch norm as its forward applied it.
pub(super) struct SavedNorm {
    pub(super) norm: LazyNorm,
    /// The convolution's output, unless the output node holds it raw.
    pub(super) y: Option<Buffer>,
}

/// What a layer's backward needs. Nothing is used up: a graph may be walked more than once.
pub(super) struct Saved {
    pub(super) convolution: Convolution,
    pub(super) source: Source,
    pub(super) weight: Tensor,
    pub(super) norm: Option<SavedNorm>,
    pub(super) residual: Option<(Arc<Node>, Option<Subsample>)>,
    pub(super) out: Arc<Node>,
    /// Where the parameters' gradients go.
    pub(super) slot: ParameterSlot,
}

impl Saved {
    /// The convolution's output.
    pub(super) fn y(&self) -> &[f32] {
        match &self.norm {
            Some(SavedNorm { y: Some(y), .. }) => y,
            _ => &self.out.data,
        }
    }
}
