use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::Tensor;
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::dims::Dims;
use super::subsample::Subsample;
use crate::batch_norm::{Affine, Sums};
use crate::buffer::Buffer;
use crate::kernels::{Kernels, Mask};

/// A batch norm, and perhaps ReLU, that a node's readers apply while reading.
#[derive(Clone, Debug)]
pub(crate) struct LazyNorm {
    pub(crate) affine: Affine,
    pub(crate) relu: bool,
}

impl LazyNorm {
    /// Where the ReLU lets gradients through.
    pub(crate) fn mask(&self) -> Mask<'_> {
        if self.relu {
            Mask::Affine { scale: &self.affine.scale, shift: &self.affine.shift }
        } else {
            Mask::Open
        }
    }
}

/// Activations in blocks, and the place where their gradient gathers.
pub(crate) struct Node {
    pub(crate) dims: Dims,
    /// The activations, or what `norm` makes them from.
    pub(crate) data: Buffer,
    pub(crate) norm: Option<LazyNorm>,
    pub(crate) kernels: Kernels,
    /// Tracked operations that read this node.
    consumers: AtomicUsize,
    gradient: Mutex<Gradient>,
}

/// A gradient on its way to the operation that made the node.
#[derive(Default)]
struct Gradient {
    buffer: Option<Buffer>,
    /// If the buffer has passed the node's lazy norm's ReLU already: the sums that its gradient needs.
    sums: Option<Sums>,
    /// Gradients of option-A shortcuts that wait for a buffer to be added to.
    subsampled: Vec<(Buffer, Subsample)>,
}

impl Node {
    pub(crate) fn new(dims: Dims, data: Buffer, norm: Option<LazyNorm>, kernels: Kernels) -> Self {
        assert_eq!(dims.len(), data.len());
        Self { dims, data, norm, kernels, consumers: AtomicUsize::new(0), gradient: Mutex::default() }
    }

    /// Says that a tracked operation reads this node, once for each argument.
    pub(crate) fn add_consumer(&self) {
        self.consumers.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the one consumer may apply the norm's ReLU to the gradient and take the sums, sparing the producer
    /// a pass.
    pub(crate) fn consumer_finishes_norm(&self) -> bool {
        self.norm.is_some() && self.consumers.load(Ordering::Relaxed) == 1
    }

    fn gradient(&self) -> MutexGuard<'_, Gradient> {
        // No statement that could panic leaves a gradient half changed.
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what has gathered, for an operation that adds to it while it computes its own part.
    pub(crate) fn begin_adding(&self) -> (Option<Buffer>, Vec<(Buffer, Subsample)>) {
        let mut gradient = self.gradient();
        (gradient.buffer.take(), std::mem::take(&mut gradient.subsampled))
    }

    /// Gives back what [`Node::begin_adding`] took, with the operation's part; `sums` if the norm's ReLU was applied.
    pub(crate) fn end_adding(&self, buffer: Buffer, sums: Option<Sums>) {
        let mut gradient = self.gradient();
        gradient.buffer = Some(buffer);
        gradient.sums = sums;
    }

    /// Adds a gradient of the node's own shape.
    pub(crate) fn add_gradient(&self, part: Buffer) {
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
    pub(crate) fn add_subsampled(&self, part: Buffer, subsample: Subsample) {
        self.gradient().subsampled.push((part, subsample));
    }

    /// Takes the whole gradient, and the sums if the norm's ReLU was applied to it.
    pub(crate) fn take_gradient(&self) -> (Buffer, Option<Sums>) {
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

    /// Image `index` as the consumers see it: normalised into `scratch` if need be.
    pub(crate) fn image<'a>(&'a self, index: usize, scratch: &'a mut [f32]) -> &'a [f32] {
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

    /// Values of scratch memory that [`Node::image`] needs.
    pub(crate) fn scratch_len(&self) -> usize {
        if self.norm.is_some() { self.dims.image_len() } else { 0 }
    }
}

/// A node together with the token that stands for it in Candle's graph.
#[derive(Clone)]
pub(crate) struct Blocked {
    pub(crate) node: Arc<Node>,
    pub(crate) token: Tensor,
}

impl Blocked {
    /// Whether gradients are wanted; if so, counts the operation that asks as a consumer.
    pub(crate) fn consume(&self) -> bool {
        let tracked = self.token.track_op();
        if tracked {
            self.node.add_consumer();
        }
        tracked
    }
}
