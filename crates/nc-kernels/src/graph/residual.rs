//! The shortcut added to a layer's output before the ReLU.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::chunks::chunk_images;
use super::dims::Dims;
use super::node::Blocked;
use super::subsample::Subsample;
use crate::Shortcut;
use crate::batch_norm::Affine;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::feature_map::Activation;
use crate::kernels::Kernels;

/// A shortcut's node and, for option A, its subsampling.
pub(super) struct Residual<E: Element> {
    pub(super) from: Blocked<E>,
    pub(super) subsample: Option<Subsample>,
}

impl<E: Activation> Residual<E> {
    /// The shortcut in blocks, for an output of shape `out`; `None` without a shortcut.
    pub(super) fn new(shortcut: Shortcut<'_>, kernels: Kernels<E>, out: Dims) -> Result<Option<Self>> {
        let (map, stride) = match shortcut {
            Shortcut::None => return Ok(None),
            Shortcut::Identity(map) => (map, None),
            Shortcut::Subsample(map, stride) => (map, Some(stride)),
        };
        let from = map.blocked(kernels)?;
        let subsample = stride.map(|stride| Subsample { from: from.node.dims, to: out, stride });
        Ok(Some(Self { from, subsample }))
    }

    /// relu?(affine(y) + shortcut), for an output `y` of shape `out`.
    pub(super) fn add(
        &self,
        y: &[E],
        out: Dims,
        kernels: Kernels<E>,
        affine: &Affine,
        relu: bool,
    ) -> Buffer<E> {
        let (len, chunk) = (out.image_len(), chunk_images(out.n));
        let mut sum = Buffer::take(out.len());
        sum.par_chunks_mut(chunk * len).zip(y.par_chunks(chunk * len)).enumerate().for_each(
            |(index, (sum, y))| {
                let mut shortcut = ShortcutImages::new(Some(self), len);
                for (image, (sum, y)) in sum.chunks_mut(len).zip(y.chunks(len)).enumerate() {
                    let at = index * chunk + image;
                    let residual = shortcut.images(at..at + 1, len);
                    kernels.normalise(y, &affine.scale, &affine.shift, residual, relu, sum);
                }
            },
        );
        sum
    }
}

/// Reads a chunk's shortcut images; owns the scratch memory.
pub(super) struct ShortcutImages<'a, E: Element> {
    residual: Option<&'a Residual<E>>,
    normalised: Buffer<E>,
    /// Images that cannot be read in place.
    copies: Buffer<E>,
}

impl<'a, E: Element> ShortcutImages<'a, E> {
    /// A reader for chunks of up to `len` output values.
    pub(super) fn new(residual: Option<&'a Residual<E>>, len: usize) -> Self {
        let (normalised, copies) = residual.map_or((0, 0), |residual| {
            let lazy = residual.from.node.norm.is_some();
            (residual.from.node.scratch_len(), if lazy || residual.subsample.is_some() { len } else { 0 })
        });
        Self { residual, normalised: Buffer::take(normalised), copies: Buffer::take(copies) }
    }

    /// The images `range` in the output's shape, `len` values each.
    pub(super) fn images(&mut self, range: Range<usize>, len: usize) -> Option<&[E]> {
        let residual = self.residual?;
        if self.copies.is_empty() {
            return Some(&residual.from.node.data[range.start * len..range.end * len]);
        }
        let count = range.len();
        for (index, out) in range.zip(self.copies.chunks_mut(len)) {
            let image = residual.from.node.image(index, &mut self.normalised);
            match residual.subsample {
                Some(subsample) => subsample.apply(image, out),
                None => out.copy_from_slice(image),
            }
        }
        Some(&self.copies[..count * len])
    }
}
