use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Tensor};

use super::node::Node;
use super::values::{with_converted, with_values};
use crate::element::Element;
use crate::kernels::Conv;

/// Input of a convolution.
pub(crate) enum Source<E: Element> {
    /// Planar images with few channels: a contiguous tensor (N, C, H, W).
    Planes(Tensor),
    /// Blocked activations.
    Node(Arc<Node<E>>),
}

impl<E: Element> Source<E> {
    /// Calls `f` with a view of the values.
    pub(crate) fn with_view<T>(&self, f: impl FnOnce(View<'_, E>) -> T) -> Result<T> {
        match self {
            Self::Planes(tensor) => {
                with_values(tensor, |values| with_converted(values, |values| f(View { values, node: None })))
            }
            Self::Node(node) => Ok(f(View { values: &node.data, node: Some(node) })),
        }
    }
}

/// Values of a convolution's input during execution.
#[derive(Clone, Copy)]
pub(crate) struct View<'a, E: Element> {
    values: &'a [E],
    node: Option<&'a Node<E>>,
}

impl<E: Element> View<'_, E> {
    /// All values in place; as the convolution sees them if no scratch memory is needed.
    pub(crate) fn values(&self) -> &[E] {
        self.values
    }

    /// Scratch size in values for [`View::images`] of `count` images.
    pub(crate) fn scratch_len(&self, count: usize) -> usize {
        self.node.map_or(0, |node| count * node.scratch_len())
    }

    /// The images `range` as the convolution sees them, normalised into `scratch` if necessary.
    pub(crate) fn images<'s>(&'s self, conv: &Conv, range: Range<usize>, scratch: &'s mut [E]) -> &'s [E] {
        let len = conv.in_len();
        match self.node {
            Some(node) if node.norm.is_some() => {
                for (index, out) in range.clone().zip(scratch.chunks_mut(len)) {
                    node.image(index, out);
                }
                &scratch[..range.len() * len]
            }
            _ => &self.values[range.start * len..range.end * len],
        }
    }
}
