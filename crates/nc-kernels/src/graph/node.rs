use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::dims::Dims;
use super::subsample::Subsample;
use crate::batch_norm::{Affine, Sums};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::{Kernels, Mask};

/// Batch norm with optional ReLU, applied by a node's readers.
#[derive(Clone, Debug)]
pub(crate) struct LazyNorm {
    pub(crate) affine: Affine,
    pub(crate) relu: bool,
}

impl LazyNorm {
    /// Mask of the ReLU.
    pub(crate) fn mask<E>(&self) -> Mask<'_, E> {
        if self.relu {
            Mask::Affine { scale: &self.affine.scale, shift: &self.affine.shift }
        } else {
            Mask::Open
        }
    }
}

/// Activations in blocks, and their accumulated gradient.
pub(crate) struct Node<E: Element> {
    pub(crate) dims: Dims,
    /// Activations, before `norm` if there is one.
    pub(crate) data: Buffer<E>,
    pub(crate) norm: Option<LazyNorm>,
    pub(crate) kernels: Kernels<E>,
    /// Number of tracked operations that read this node.
    consumers: AtomicUsize,
    gradient: Mutex<Gradient<E>>,
}

/// Gradients of option-A shortcuts.
pub(super) type Subsampled<E> = Vec<(Buffer<E>, Subsample)>;

/// Gradient accumulated for the operation that produced the node.
struct Gradient<E> {
    buffer: Option<Buffer<E>>,
    /// Sums for the lazy norm's gradient, if its ReLU has already been applied to the buffer.
    sums: Option<Sums>,
    /// Gradients of option-A shortcuts, pending until a buffer exists to add them to.
    subsampled: Subsampled<E>,
}

impl<E> Default for Gradient<E> {
    fn default() -> Self {
        Self { buffer: None, sums: None, subsampled: vec![] }
    }
}

impl<E: Element> Node<E> {
    pub(crate) fn new(dims: Dims, data: Buffer<E>, norm: Option<LazyNorm>, kernels: Kernels<E>) -> Self {
        assert_eq!(dims.len(), data.len());
        Self { dims, data, norm, kernels, consumers: AtomicUsize::new(0), gradient: Mutex::default() }
    }

    /// Registers a tracked operation that reads this node, once per argument.
    pub(crate) fn add_consumer(&self) {
        self.consumers.fetch_add(1, Ordering::Relaxed);
    }

    /// True if the only consumer may apply the norm's ReLU to the gradient and compute the sums, which saves the
    /// producer a pass.
    pub(crate) fn consumer_finishes_norm(&self) -> bool {
        self.norm.is_some() && self.consumers.load(Ordering::Relaxed) == 1
    }

    fn gradient(&self) -> MutexGuard<'_, Gradient<E>> {
        // No statement that could panic leaves a gradient half updated.
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the accumulated gradient, for an operation that adds to it while computing its own part.
    pub(crate) fn begin_adding(&self) -> (Option<Buffer<E>>, Subsampled<E>) {
        let mut gradient = self.gradient();
        (gradient.buffer.take(), std::mem::take(&mut gradient.subsampled))
    }

    /// Returns the buffer of [`Node::begin_adding`] with the operation's part; `sums` if the norm's ReLU was applied.
    pub(crate) fn end_adding(&self, buffer: Buffer<E>, sums: Option<Sums>) {
        let mut gradient = self.gradient();
        gradient.buffer = Some(buffer);
        gradient.sums = sums;
    }

    /// Adds a gradient of the node's shape.
    pub(crate) fn add_gradient(&self, part: Buffer<E>) {
        let mut gradient = self.gradient();
        if let Some(sum) = &mut gradient.buffer {
            let len = chunk_images(self.dims.n) * self.dims.image_len();
            sum.par_chunks_mut(len)
                .zip(part.par_chunks(len))
                .for_each(|(sum, part)| self.kernels.add(sum, part));
        } else {
            gradient.buffer = Some(part);
        }
    }

    /// Adds the gradient of an option-A shortcut.
    pub(crate) fn add_subsampled(&self, part: Buffer<E>, subsample: Subsample) {
        self.gradient().subsampled.push((part, subsample));
    }

    /// Takes the complete gradient, with the sums if the norm's ReLU was applied.
    pub(crate) fn take_gradient(&self) -> (Buffer<E>, Option<Sums>) {
        let gradient = std::mem::take(&mut *self.gradient());
        let mut buffer = gradient.buffer.unwrap_or_else(|| Buffer::zeros(self.dims.len()));
        for (part, subsample) in gradient.subsampled {
            buffer
                .par_chunks_mut(subsample.from.image_len())
                .zip(part.par_chunks(subsample.to.image_len()))
                .for_each(|(sum, part)| subsample.add_gradient(part, sum));
        }
        (buffer, gradient.sums)
    }

    /// Image `index` as the consumers see it, normalised into `scratch` if necessary.
    pub(crate) fn image<'a>(&'a self, index: usize, scratch: &'a mut [E]) -> &'a [E] {
        let len = self.dims.image_len();
        let raw = &self.data[index * len..][..len];
        match &self.norm {
            None => raw,
            Some(LazyNorm { affine, relu }) => {
                let out = &mut scratch[..len];
                self.kernels.normalise(raw, &affine.scale, &affine.shift, None, *relu, out);
                out
            }
        }
    }

    /// Scratch size in values for [`Node::image`].
    pub(crate) fn scratch_len(&self) -> usize {
        if self.norm.is_some() { self.dims.image_len() } else { 0 }
    }
}

/// A node with the token that represents it in Candle's graph.
pub(crate) struct Blocked<E: Element> {
    pub(crate) node: Arc<Node<E>>,
    pub(crate) token: Tensor,
}

impl<E: Element> Clone for Blocked<E> {
    fn clone(&self) -> Self {
        Self { node: self.node.clone(), token: self.token.clone() }
    }
}

impl<E: Element> Blocked<E> {
    /// True if gradients are wanted; then registers the calling operation as a consumer.
    pub(crate) fn consume(&self) -> bool {
        let tracked = self.token.track_op();
        if tracked {
            self.node.add_consumer();
        }
        tracked
    }
}
