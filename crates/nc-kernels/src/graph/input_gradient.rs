//! Input gradient of a convolution.

use std::ops::Range;

use super::job::Convolution;
use super::saved::Saved;
use super::source::Source;
use super::subsample::Subsample;
use crate::batch_norm::Sums;
use crate::buffer::Buffer;
use crate::kernels::GradientSums;
use crate::layout::to_planes;

/// Destination of the input gradient.
pub(super) enum InputGradient {
    Unwanted,
    /// The planes (N, C, H, W) of a tensor.
    Planes(Vec<f32>),
    /// The gradient of a node, added to earlier contributions.
    Node {
        buffer: Buffer,
        add: bool,
        subsampled: Vec<(Buffer, Subsample)>,
        finish_norm: bool,
    },
}

impl InputGradient {
    pub(super) fn begin(saved: &Saved, wanted: bool) -> Self {
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

    pub(super) fn end(self, saved: &Saved, sums: Sums) -> Option<Vec<f32>> {
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
    pub(super) fn split(&mut self) -> (Treatment<'_>, Option<&mut [f32]>) {
        let nothing = Treatment { planes: false, add: false, subsampled: &[], finish_norm: false };
        match self {
            Self::Unwanted => (nothing, None),
            Self::Planes(planes) => (Treatment { planes: true, ..nothing }, Some(planes)),
            Self::Node { buffer, add, subsampled, finish_norm } => {
                let treatment = Treatment { planes: false, add: *add, subsampled, finish_norm: *finish_norm };
                (treatment, Some(buffer))
            }
        }
    }
}

/// Per-image treatment of the input gradient: [`InputGradient`] without the values.
#[derive(Clone, Copy)]
pub(super) struct Treatment<'a> {
    planes: bool,
    add: bool,
    subsampled: &'a [(Buffer, Subsample)],
    finish_norm: bool,
}

/// Input gradient of one chunk of images.
pub(super) struct InputChunk<'a> {
    saved: &'a Saved,
    treatment: Treatment<'a>,
    transposed: &'a [f32],
    /// Buffer for images that are not written in place.
    scratch: Buffer,
    block_sums: Vec<GradientSums>,
    pub(super) sums: Sums,
}

impl<'a> InputChunk<'a> {
    pub(super) fn new(
        saved: &'a Saved,
        treatment: Treatment<'a>,
        transposed: &'a [f32],
        at_once: usize,
    ) -> Self {
        let conv = &saved.convolution.conv;
        let scratch = if treatment.planes || treatment.add { at_once * conv.in_len_blocked() } else { 0 };
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

    pub(super) fn run(&mut self, images: Range<usize>, dy: &[f32], target: &mut [f32], border: &mut [f32]) {
        let Convolution { kernels, conv, .. } = self.saved.convolution;
        let len = conv.in_len_blocked();
        if self.treatment.planes || self.treatment.add {
            let part = &mut self.scratch[..images.len() * len];
            kernels.input_gradient(&conv, dy, self.transposed, part, border);
            if self.treatment.planes {
                let planes = target.chunks_mut(conv.in_len_planar());
                for (planes, image) in planes.zip(part.chunks(len)) {
                    to_planes(image, conv.in_pixels(), planes);
                }
            } else {
                kernels.add(target, part);
            }
        } else {
            kernels.input_gradient(&conv, dy, self.transposed, target, border);
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
    fn finish_norm(&mut self, image: usize, gradient: &mut [f32]) {
        let Source::Node(node) = &self.saved.source else { return };
        let Some(norm) = &node.norm else { return };
        let y = &node.data[image * gradient.len()..][..gradient.len()];
        let kernels = self.saved.convolution.kernels;
        kernels.mask_and_sum(gradient, norm.mask(), y, &norm.affine.mean, &mut self.block_sums);
        self.sums.collect(&mut self.block_sums);
    }
}
