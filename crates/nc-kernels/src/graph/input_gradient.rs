//! Input gradient of a convolution.

use std::ops::Range;

use super::job::Convolution;
use super::node::Subsampled;
use super::saved::Saved;
use super::source::Source;
use super::subsample::Subsample;
use crate::batch_norm::Sums;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::{Conv, GradientSums};
use crate::layout::to_planes;

/// Destination of the input gradient.
pub(super) enum InputGradient<E> {
    Unwanted,
    /// The planes (N, C, H, W) of a tensor.
    Planes(Vec<f32>),
    /// The gradient of a node, added to earlier contributions.
    Node {
        buffer: Buffer<E>,
        add: bool,
        subsampled: Subsampled<E>,
        finish_norm: bool,
    },
}

impl<E: Element> InputGradient<E> {
    pub(super) fn begin(saved: &Saved<E>, wanted: bool) -> Self {
        match &saved.source {
            _ if !wanted => Self::Unwanted,
            Source::Planes(tensor) => Self::Planes(vec![0.0; tensor.elem_count()]),
            Source::Node(node) => {
                let (gathered, subsampled) = node.begin_adding();
                Self::Node {
                    add: gathered.is_some(),
                    buffer: gathered.unwrap_or_else(|| Buffer::take(node.dims.len())),
                    subsampled,
                    finish_norm: node.consumer_finishes_norm(),
                }
            }
        }
    }

    pub(super) fn end(self, saved: &Saved<E>, sums: Sums) -> Option<Vec<f32>> {
        match (self, &saved.source) {
            (Self::Planes(planes), _) => Some(planes),
            (Self::Node { buffer, finish_norm, .. }, Source::Node(node)) => {
                node.end_adding(buffer, finish_norm.then_some(sums));
                None
            }
            _ => None,
        }
    }

    /// The treatment and the values.
    pub(super) fn split(&mut self) -> (Treatment<'_, E>, Option<Target<'_, E>>) {
        let nothing = Treatment { add: false, subsampled: &[], finish_norm: false };
        match self {
            Self::Unwanted => (nothing, None),
            Self::Planes(planes) => (nothing, Some(Target::Planes(planes))),
            Self::Node { buffer, add, subsampled, finish_norm } => {
                let treatment = Treatment { add: *add, subsampled, finish_norm: *finish_norm };
                (treatment, Some(Target::Blocks(buffer)))
            }
        }
    }
}

/// Values of the input gradient of some images.
pub(super) enum Target<'a, E> {
    /// (N, C, H, W).
    Planes(&'a mut [f32]),
    Blocks(&'a mut [E]),
}

impl<E> Target<'_, E> {
    /// Splits into chunks of `images` images.
    pub(super) fn chunks(self, conv: &Conv, images: usize) -> Vec<Self> {
        match self {
            Self::Planes(values) => {
                values.chunks_mut(images * conv.in_len_planar()).map(Self::Planes).collect()
            }
            Self::Blocks(values) => {
                values.chunks_mut(images * conv.in_len_blocked()).map(Self::Blocks).collect()
            }
        }
    }

    /// The images `range`.
    pub(super) fn images(&mut self, conv: &Conv, range: Range<usize>) -> Target<'_, E> {
        let within = |len: usize| range.start * len..range.end * len;
        match self {
            Self::Planes(values) => Target::Planes(&mut values[within(conv.in_len_planar())]),
            Self::Blocks(values) => Target::Blocks(&mut values[within(conv.in_len_blocked())]),
        }
    }
}

/// Per-image treatment of the input gradient: [`InputGradient`] without the values.
#[derive(Clone, Copy)]
pub(super) struct Treatment<'a, E> {
    add: bool,
    subsampled: &'a [(Buffer<E>, Subsample)],
    finish_norm: bool,
}

/// Input gradient of one chunk of images.
pub(super) struct InputChunk<'a, E: Element> {
    saved: &'a Saved<E>,
    treatment: Treatment<'a, E>,
    transposed: &'a [f32],
    /// Buffer for images that are not written in place.
    scratch: Buffer<E>,
    block_sums: Vec<GradientSums>,
    pub(super) sums: Sums,
}

impl<'a, E: Element> InputChunk<'a, E> {
    pub(super) fn new(
        saved: &'a Saved<E>,
        treatment: Treatment<'a, E>,
        target: Option<&Target<'_, E>>,
        transposed: &'a [f32],
        at_once: usize,
    ) -> Self {
        let conv = &saved.convolution.conv;
        let in_place = matches!(target, Some(Target::Blocks(_)) if !treatment.add);
        let scratch = if in_place || target.is_none() { 0 } else { at_once * conv.in_len_blocked() };
        let blocks = crate::kernels::blocks(conv.shape().in_channels);
        Self {
            saved,
            treatment,
            transposed,
            scratch: Buffer::take(scratch),
            block_sums: vec![GradientSums::ZERO; blocks],
            sums: Sums::zeros(blocks * crate::lanes::LANES),
        }
    }

    pub(super) fn run(
        &mut self,
        images: Range<usize>,
        dy: &[E],
        target: Target<'_, E>,
        kernel_scratch: &mut [f32],
    ) {
        let Convolution { kernels, conv, .. } = self.saved.convolution;
        let len = conv.in_len_blocked();
        let target = match target {
            Target::Planes(planes) => {
                let part = &mut self.scratch[..images.len() * len];
                kernels.input_gradient(&conv, dy, self.transposed, part, kernel_scratch);
                for (planes, image) in planes.chunks_mut(conv.in_len_planar()).zip(part.chunks(len)) {
                    to_planes(image, conv.in_pixels(), planes);
                }
                return;
            }
            Target::Blocks(target) => target,
        };
        if self.treatment.add {
            let part = &mut self.scratch[..images.len() * len];
            kernels.input_gradient(&conv, dy, self.transposed, part, kernel_scratch);
            kernels.add(target, part);
        } else {
            kernels.input_gradient(&conv, dy, self.transposed, target, kernel_scratch);
        }
        for (image, target) in images.zip(target.chunks_mut(len)) {
            for (part, subsample) in self.treatment.subsampled {
                let part_len = subsample.to.image_len();
                subsample.add_gradient(&part[image * part_len..][..part_len], target);
            }
            if self.treatment.finish_norm {
                self.finish_norm(image, target);
            }
        }
    }

    /// Applies the ReLU of the input's lazy norm to an image's gradient and accumulates the sums.
    fn finish_norm(&mut self, image: usize, gradient: &mut [E]) {
        let Source::Node(node) = &self.saved.source else { return };
        let Some(norm) = &node.norm else { return };
        let y = &node.data[image * gradient.len()..][..gradient.len()];
        let kernels = self.saved.convolution.kernels;
        kernels.mask_and_sum(gradient, norm.mask(), y, &norm.affine.mean, &mut self.block_sums);
        self.sums.collect(&mut self.block_sums);
    }
}
