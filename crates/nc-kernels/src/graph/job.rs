//! Execution of a convolution over the chunks of a batch.

use std::ops::Range;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::dims::Dims;
use super::residual::{Residual, ShortcutImages};
use super::source::{Source, View};
use super::values::to_vec;
use crate::batch_norm::{Affine, Moments};
use crate::buffer::Buffer;
use crate::element::Element;
use crate::feature_map::{Activation, Repr};
use crate::kernels::{BlockSums, Conv, Epilogue, Kernels};
use crate::{ConvShape, FeatureMap};

/// Kernels and geometry of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Convolution<E: Element> {
    pub(super) kernels: Kernels<E>,
    pub(super) conv: Conv,
    pub(super) out: Dims,
}

/// A convolution ready to run.
pub(super) struct Job<E: Element> {
    pub(super) convolution: Convolution<E>,
    pub(super) source: Source<E>,
    /// The argument that represents the source in Candle's graph.
    pub(super) argument: Tensor,
    packed: Buffer,
}

impl<E: Activation> Job<E> {
    pub(super) fn new(
        x: &FeatureMap,
        kernels: Kernels<E>,
        weight: &Tensor,
        shape: ConvShape,
    ) -> Result<Self> {
        let (n, _, h, w) = x.dims();
        let (source, argument) = match &x.repr {
            Repr::Tensor { tensor, .. } if Conv::reads_planes(shape) => {
                let tensor = tensor.contiguous()?;
                (Source::Planes(tensor.detach()), tensor)
            }
            _ => {
                let x = x.blocked(kernels)?;
                (Source::Node(x.node), x.token)
            }
        };
        let planar = matches!(source, Source::Planes(_));
        let conv = Conv::new(shape, h, w, planar)?;
        let mut packed = Buffer::take(conv.packed_len());
        kernels.pack(&conv, &to_vec(weight)?, &mut packed);
        let (h, w) = conv.out_size();
        let out = Dims { n, c: shape.out_channels, h, w };
        Ok(Self { convolution: Convolution { kernels, conv, out }, source, argument, packed })
    }

    /// True if input gradients are wanted; then registers this operation as a consumer of the input's node.
    pub(super) fn consume(&self) -> bool {
        let tracked = self.argument.track_op();
        if let (true, Source::Node(node)) = (tracked, &self.source) {
            node.add_consumer();
        }
        tracked
    }

    /// Runs `each` for every chunk with its first image, its output and a worker.
    fn run<T: Send>(
        &self,
        each: impl Fn(usize, &mut [E], &mut Worker<'_, E>) -> T + Sync,
    ) -> Result<(Buffer<E>, Vec<T>)> {
        let mut y = Buffer::take(self.convolution.out.len());
        let chunk = chunk_images(self.convolution.out.n);
        let results = self.source.with_view(|view| {
            y.par_chunks_mut(chunk * self.convolution.out.image_len())
                .enumerate()
                .map(|(index, y)| each(index * chunk, y, &mut Worker::new(self, view, chunk)))
                .collect()
        })?;
        Ok((y, results))
    }

    /// Runs the convolution alone.
    pub(super) fn run_plain(&self) -> Result<Buffer<E>> {
        let (y, _) = self.run(|first, y, worker| {
            for (images, y) in worker.steps(first, y) {
                worker.convolve(images, y, Epilogue::Plain);
            }
        })?;
        Ok(y)
    }

    /// Runs the convolution and computes the moments of its output.
    pub(super) fn run_with_moments(&self) -> Result<(Buffer<E>, Moments)> {
        let (blocks, pixels) = (self.convolution.out.blocks(), self.convolution.out.pixels());
        let (y, parts) = self.run(|first, y, worker| {
            let mut moments = Moments::empty(self.convolution.out.padded_channels());
            let mut sums = vec![BlockSums::ZERO; blocks];
            for (index, (images, y)) in worker.steps(first, y).enumerate() {
                let count = images.len() * pixels;
                let epilogue = Epilogue::Statistics { sums: &mut sums, first: index == 0 };
                worker.convolve(images, y, epilogue);
                moments.merge(&Moments::from_sums(&sums, count));
                sums.iter_mut().for_each(BlockSums::restart);
            }
            moments
        })?;
        let mut moments = Moments::empty(self.convolution.out.padded_channels());
        for part in parts {
            moments.merge(&part);
        }
        Ok((y, moments))
    }

    /// Computes relu?(affine(conv(x)) + residual) in one pass.
    pub(super) fn run_fused(
        &self,
        affine: &Affine,
        residual: Option<&Residual<E>>,
        relu: bool,
    ) -> Result<Buffer<E>> {
        let len = self.convolution.out.image_len();
        let (y, _) = self.run(|first, y, worker| {
            let mut shortcut = ShortcutImages::new(residual, worker.at_once * len);
            for (images, y) in worker.steps(first, y) {
                let residual = shortcut.images(images.clone(), len);
                let (scale, shift) = (&affine.scale, &affine.shift);
                worker.convolve(images, y, Epilogue::Affine { scale, shift, residual, relu });
            }
        })?;
        Ok(y)
    }
}

/// Images per kernel call: few, so that they stay in the cache between the passes, unless the kernel is so large that
/// it should be read once for many images.
pub(super) fn images_at_once<E: Element>(conv: &Conv, chunk: usize) -> usize {
    if conv.packed_len() > 64 * 1024 {
        return chunk;
    }
    (E::TOGETHER / conv.in_len().max(conv.out_len())).clamp(1, chunk)
}

/// Convolves images of a chunk; owns the scratch memory.
struct Worker<'a, E: Element> {
    job: &'a Job<E>,
    view: View<'a, E>,
    at_once: usize,
    input: Buffer<E>,
    scratch: Buffer,
}

impl<'a, E: Activation> Worker<'a, E> {
    fn new(job: &'a Job<E>, view: View<'a, E>, chunk: usize) -> Self {
        let Convolution { kernels, conv, .. } = &job.convolution;
        let at_once = images_at_once::<E>(conv, chunk);
        let input = Buffer::take(view.scratch_len(at_once));
        Self { job, view, at_once, input, scratch: Buffer::take(kernels.scratch_len(conv)) }
    }

    /// Splits a chunk's output, which begins with image `first`, into the outputs of single kernel calls.
    fn steps<'y>(
        &self,
        first: usize,
        y: &'y mut [E],
    ) -> impl Iterator<Item = (Range<usize>, &'y mut [E])> + use<'y, E> {
        let (at_once, len) = (self.at_once, self.job.convolution.out.image_len());
        y.chunks_mut(at_once * len).enumerate().map(move |(step, y)| {
            let start = first + step * at_once;
            (start..start + y.len() / len, y)
        })
    }

    fn convolve(&mut self, images: Range<usize>, y: &mut [E], epilogue: Epilogue<'_, E>) {
        let Job { convolution: Convolution { kernels, conv, .. }, packed, .. } = self.job;
        let x = self.view.images(conv, images, &mut self.input);
        kernels.convolve(conv, x, packed, y, epilogue, &mut self.scratch);
    }
}
