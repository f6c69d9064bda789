//! State that a convolution's forward saves for its backward.

use std::sync::Arc;

use candle_core::Tensor;

use super::job::Convolution;
use super::node::{LazyNorm, Node};
use super::parameters::ParameterSlot;
use super::source::Source;
use super::subsample::Subsample;
use crate::buffer::Buffer;
use crate::element::Element;

/// A layer's batch norm as applied in the forward pass.
pub(super) struct SavedNorm<E> {
    pub(super) norm: LazyNorm,
    /// The convolution's output, unless the output node holds it raw.
    pub(super) y: Option<Buffer<E>>,
}

/// Inputs of a layer's backward. Nothing is consumed, because a graph may be walked more than once.
pub(super) struct Saved<E: Element> {
    pub(super) convolution: Convolution<E>,
    pub(super) source: Source<E>,
    pub(super) weight: Tensor,
    pub(super) norm: Option<SavedNorm<E>>,
    pub(super) residual: Option<(Arc<Node<E>>, Option<Subsample>)>,
    pub(super) out: Arc<Node<E>>,
    /// Destination of the parameters' gradients.
    pub(super) slot: ParameterSlot,
}

impl<E: Element> Saved<E> {
    /// The convolution's output.
    pub(super) fn y(&self) -> &[E] {
        match &self.norm {
            Some(SavedNorm { y: Some(y), .. }) => y,
            _ => &self.out.data,
        }
    }
}
