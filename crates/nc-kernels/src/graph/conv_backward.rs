use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, Tensor};
use rayon::prelude::*;

use super::conv::images_at_once;
use super::node::{Dims, Node};
use super::parameters::{ParameterGradients, ParameterSlot};
use super::source::{Source, View};
use super::subsample::Subsample;
use super::{Kernels, chunk_images, pieces, to_vec};
use crate::batch_norm::{Affine, Sums};
use crate::buffer::Buffer;
use crate::kernels::{Conv, GradientSums, Mask, NormCoefficients, pack_transposed, transposed_len, unpack};
use crate::layout::to_planes;

/// Packed kernels of more values than this get their gradient in one pass over all images, parallel over blocks of
/// output channels, instead of one partial gradient per chunk.
const WIDE: usize = 100_000;

/// Kernels and geometry of a convolution.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    pub(super) kernels: Kernels,
    pub(super) conv: Conv,
    pub(super) out: Dims,
}

/// A layer's batch norm as its forward applied it.
pub(super) struct SavedNorm {
    pub(super) affine: Affine,
    pub(super) relu: bool,
    /// The convolution's output, unless the output node holds it raw.
    pub(super) y: Option<Buffer>,
}

/// What a layer's backward needs. Nothing is used up: a graph may be walked more than once.
pub(super) struct Saved {
    pub(super) problem: Problem,
    pub(super) source: Source,
    pub(super) weight: Tensor,
    pub(super) norm: Option<SavedNorm>,
    pub(super) residual: Option<(Arc<Node>, Option<Subsample>)>,
    pub(super) out: Arc<Node>,
    /// Where the parameters' gradients go.
    pub(super) slot: ParameterSlot,
}

impl Saved {
    /// Passes the output's gradient on to input, parameters and shortcut. Returns the input's gradient (N, C, H, W)
    /// if that is wanted and the input is a tensor.
    pub(super) fn backward(&self, input_tracked: bool, shortcut_tracked: bool) -> Result<Option<Vec<f32>>> {
        let (mut gradient, sums) = self.out.take_gradient();
        let mut gradients = ParameterGradients::default();
        let mut coefficients = None;
        if let Some(norm) = &self.norm {
            let sums = sums.unwrap_or_else(|| self.mask_and_sum(norm, &mut gradient));
            let norm_gradients = norm.affine.gradients(&sums, self.problem.out.c);
            gradients.gamma = Some(norm_gradients.gamma);
            gradients.beta = Some(norm_gradients.beta);
            coefficients = Some(norm_gradients.input);
        }
        let kernel_wanted = self.weight.track_op();
        let mut planes = None;
        if kernel_wanted || input_tracked {
            let pass = ConvolutionPass {
                saved: self,
                gradient: &gradient,
                coefficients: coefficients.as_ref(),
                kernel_wanted,
            };
            let mut target = InputGradient::begin(self, input_tracked);
            let results = pass.run(&mut target)?;
            gradients.weight = results.kernel;
            planes = target.end(self, results.sums);
        }
        self.slot.put(gradients);
        if let (Some((node, subsample)), true) = (&self.residual, shortcut_tracked) {
            match subsample {
                None => node.add_gradient(gradient),
                Some(subsample) => node.add_subsampled(gradient, *subsample),
            }
        }
        Ok(planes)
    }

    /// The convolution's output.
    fn y(&self) -> &[f32] {
        match &self.norm {
            Some(SavedNorm { y: Some(y), .. }) => y,
            _ => &self.out.data,
        }
    }

    /// Applies the ReLU to the gradient and takes the sums, where the output's one consumer has not done so.
    fn mask_and_sum(&self, norm: &SavedNorm, gradient: &mut [f32]) -> Sums {
        let Problem { kernels, out, .. } = self.problem;
        let (len, chunk, channels) = (out.image_len(), chunk_images(out.n), out.padded_channels());
        let y = self.y();
        let parts: Vec<Sums> = gradient
            .par_chunks_mut(chunk * len)
            .enumerate()
            .map(|(index, gradient)| {
                let mut total = Sums::zeros(channels);
                let mut sums = vec![GradientSums::ZERO; out.blocks()];
                for (image, gradient) in gradient.chunks_mut(len).enumerate() {
                    let at = (index * chunk + image) * len;
                    let mask = match (norm.relu, &norm.y) {
                        (false, _) => Mask::Open,
                        (true, Some(_)) => Mask::Values(&self.out.data[at..at + len]),
                        (true, None) => Mask::Affine { scale: &norm.affine.scale, shift: &norm.affine.shift },
                    };
                    kernels.mask_and_sum(gradient, mask, &y[at..at + len], &norm.affine.mean, &mut sums);
                    total.collect(&mut sums);
                }
                total
            })
            .collect();
        Sums::total(parts, channels)
    }
}

/// Where the input's gradient goes.
enum InputGradient {
    Unwanted,
    /// Into the planes (N, C, H, W) of a tensor.
    Planes(Vec<f32>),
    /// Into the gradient of a node: added to what is there already.
    Node {
        buffer: Buffer,
        add: bool,
        subsampled: Vec<(Buffer, Subsample)>,
        finish_norm: bool,
    },
}

impl InputGradient {
    fn begin(saved: &Saved, wanted: bool) -> Self {
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

    fn end(self, saved: &Saved, sums: Sums) -> Option<Vec<f32>> {
        match (self, &saved.source) {
            (Self::Planes(planes), _) => Some(planes),
            (Self::Node { buffer, finish_norm, .. }, Source::Node(node)) => {
                node.end_adding(buffer, finish_norm.then_some(sums));
                None
            }
            _ => None,
        }
    }
}

/// How the images' part of the input gradient is treated; what [`InputGradient`] says, without the values.
#[derive(Clone, Copy)]
struct Treatment<'a> {
    planes: bool,
    add: bool,
    subsampled: &'a [(Buffer, Subsample)],
    finish_norm: bool,
}

/// The passes over the images that give kernel gradient and input gradient.
struct ConvolutionPass<'a> {
    saved: &'a Saved,
    /// The output's gradient, after the ReLU.
    gradient: &'a [f32],
    /// How batch norm's input gradient follows from it; none without batch norm.
    coefficients: Option<&'a NormCoefficients>,
    kernel_wanted: bool,
}

struct PassResults {
    /// In PyTorch's layout.
    kernel: Option<Vec<f32>>,
    /// Of the input's norm, if finished.
    sums: Sums,
}

/// What one chunk of images writes to.
struct ChunkTargets<'a> {
    input: Option<&'a mut [f32]>,
    /// Copies of the output's gradient and of the input for a wide kernel's gradient.
    dy: Option<&'a mut [f32]>,
    x: Option<&'a mut [f32]>,
}

impl ConvolutionPass<'_> {
    fn run(&self, target: &mut InputGradient) -> Result<PassResults> {
        let Problem { kernels, conv, out } = self.saved.problem;
        let chunk = chunk_images(out.n);
        let chunks = out.n.div_ceil(chunk);
        let wide = self.kernel_wanted && conv.packed_len() > WIDE;
        let input_wanted = !matches!(target, InputGradient::Unwanted);

        let mut transposed = Buffer::take(if input_wanted { transposed_len(&conv) } else { 0 });
        if input_wanted {
            pack_transposed(&conv, &to_vec(&self.saved.weight)?, &mut transposed);
        }
        let channels = crate::kernels::blocks(conv.shape.in_channels) * crate::lanes::LANES;
        let in_image = match target {
            InputGradient::Planes(_) => conv.shape.in_channels * conv.h * conv.w,
            _ => conv.in_len_blocked(),
        };
        self.saved.source.with_view(|view| {
            let copies = |needed: bool, len: usize| (wide && needed).then(|| Buffer::take(out.n * len));
            let mut dy_copy = copies(self.coefficients.is_some(), conv.out_len());
            let mut x_copy = copies(view.scratch_len(1) > 0, conv.in_len());

            let (treatment, values) = split(target);
            let input = pieces(values, chunk * in_image, chunks);
            let dy = pieces(dy_copy.as_deref_mut(), chunk * conv.out_len(), chunks);
            let x = pieces(x_copy.as_deref_mut(), chunk * conv.in_len(), chunks);
            let targets: Vec<_> = input
                .into_iter()
                .zip(dy)
                .zip(x)
                .map(|((input, dy), x)| ChunkTargets { input, dy, x })
                .collect();
            let results: Vec<(Option<Buffer>, Sums)> = targets
                .into_par_iter()
                .enumerate()
                .map(|(index, targets)| {
                    let images = index * chunk..((index + 1) * chunk).min(out.n);
                    self.chunk(images, view, &transposed, treatment, targets, wide)
                })
                .collect();

            let (kernel_parts, sums): (Vec<_>, Vec<_>) = results.into_iter().unzip();
            let kernel = if wide {
                let dy = dy_copy.as_deref().unwrap_or(self.gradient);
                Some(self.wide_kernel(view, x_copy.as_deref(), dy))
            } else {
                reduce(kernels, kernel_parts).map(|sum| unpack(&conv, &sum))
            };
            PassResults { kernel, sums: Sums::total(sums, channels) }
        })
    }

    /// One chunk of images: a partial kernel gradient (unless wide), the input gradient, and the sums of the input's
    /// norm.
    fn chunk(
        &self,
        images: Range<usize>,
        view: View<'_>,
        transposed: &[f32],
        treatment: Treatment<'_>,
        mut targets: ChunkTargets<'_>,
        wide: bool,
    ) -> (Option<Buffer>, Sums) {
        let Problem { kernels, conv, .. } = self.saved.problem;
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let at_once = images_at_once(&conv, images.len());
        let mut kernel = (self.kernel_wanted && !wide).then(|| Buffer::zeros(conv.packed_len()));
        let mut border = Buffer::take(conv.scratch_len());
        let mut dy_scratch = Buffer::take(if self.coefficients.is_some() { at_once * out_len } else { 0 });
        let mut x_scratch = Buffer::take(view.scratch_len(at_once));
        let mut input = InputChunk::new(self, treatment, transposed, at_once);

        for start in images.clone().step_by(at_once) {
            let step = start..(start + at_once).min(images.end);
            let local = start - images.start..step.end - images.start;
            let dy = self.dy(step.clone(), &mut dy_scratch);
            if let Some(copy) = &mut targets.dy {
                copy[local.start * out_len..local.end * out_len].copy_from_slice(dy);
            }
            if kernel.is_some() || targets.x.is_some() {
                let x = view.images(&conv, step.clone(), &mut x_scratch);
                if let Some(copy) = &mut targets.x {
                    copy[local.start * in_len..local.end * in_len].copy_from_slice(x);
                }
                if let Some(kernel) = &mut kernel {
                    kernels.kernel_gradient(&conv, x, dy, 0..conv.out_blocks(), kernel, &mut border);
                }
            }
            if let Some(target) = &mut targets.input {
                let len = target.len() / images.len();
                let target = &mut target[local.start * len..local.end * len];
                input.run(step, dy, target, &mut border);
            }
        }
        (kernel, input.sums)
    }

    /// The gradient of the convolution's output for some images.
    fn dy<'s>(&'s self, images: Range<usize>, scratch: &'s mut [f32]) -> &'s [f32] {
        let Problem { kernels, conv, .. } = self.saved.problem;
        let len = conv.out_len();
        let whole = images.start * len..images.end * len;
        let Some(coefficients) = self.coefficients else {
            return &self.gradient[whole];
        };
        let y = &self.saved.y()[whole.clone()];
        let gradient = &self.gradient[whole];
        for ((gradient, y), dy) in gradient.chunks(len).zip(y.chunks(len)).zip(scratch.chunks_mut(len)) {
            kernels.norm_gradient(gradient, y, coefficients, dy);
        }
        &scratch[..images.len() * len]
    }

    /// The gradient of a kernel too large for a copy per chunk.
    fn wide_kernel(&self, view: View<'_>, x: Option<&[f32]>, dy: &[f32]) -> Vec<f32> {
        let Problem { kernels, conv, .. } = self.saved.problem;
        let x = x.unwrap_or_else(|| view.values());
        let mut sum = Buffer::zeros(conv.packed_len());
        let block_len = conv.packed_len() / conv.out_blocks();
        sum.par_chunks_mut(block_len).enumerate().for_each(|(block, sum)| {
            let mut border = Buffer::take(conv.scratch_len());
            kernels.kernel_gradient(&conv, x, dy, block..block + 1, sum, &mut border);
        });
        unpack(&conv, &sum)
    }
}

/// An input gradient's treatment and its values.
fn split(target: &mut InputGradient) -> (Treatment<'_>, Option<&mut [f32]>) {
    let nothing = Treatment { planes: false, add: false, subsampled: &[], finish_norm: false };
    match target {
        InputGradient::Unwanted => (nothing, None),
        InputGradient::Planes(planes) => (Treatment { planes: true, ..nothing }, Some(planes)),
        InputGradient::Node { buffer, add, subsampled, finish_norm } => {
            let treatment = Treatment { planes: false, add: *add, subsampled, finish_norm: *finish_norm };
            (treatment, Some(buffer))
        }
    }
}

/// The input gradient of a chunk's images.
struct InputChunk<'a> {
    pass: &'a ConvolutionPass<'a>,
    treatment: Treatment<'a>,
    transposed: &'a [f32],
    /// Holds images that are not written in place.
    scratch: Buffer,
    block_sums: Vec<GradientSums>,
    sums: Sums,
}

impl<'a> InputChunk<'a> {
    fn new(
        pass: &'a ConvolutionPass<'a>,
        treatment: Treatment<'a>,
        transposed: &'a [f32],
        at_once: usize,
    ) -> Self {
        let conv = &pass.saved.problem.conv;
        let scratch = if treatment.planes || treatment.add { at_once * conv.in_len_blocked() } else { 0 };
        let blocks = crate::kernels::blocks(conv.shape.in_channels);
        Self {
            pass,
            treatment,
            transposed,
            scratch: Buffer::take(scratch),
            block_sums: vec![GradientSums::ZERO; blocks],
            sums: Sums::zeros(blocks * crate::lanes::LANES),
        }
    }

    fn run(&mut self, images: Range<usize>, dy: &[f32], target: &mut [f32], border: &mut [f32]) {
        let Problem { kernels, conv, .. } = self.pass.saved.problem;
        let len = conv.in_len_blocked();
        if self.treatment.planes || self.treatment.add {
            let part = &mut self.scratch[..images.len() * len];
            kernels.input_gradient(&conv, dy, self.transposed, part, border);
            if self.treatment.planes {
                let pixels = conv.h * conv.w;
                let planes = target.chunks_mut(conv.shape.in_channels * pixels);
                for (planes, image) in planes.zip(part.chunks(len)) {
                    to_planes(image, pixels, planes);
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

    /// Passes an image's gradient through the ReLU of the input's lazy norm and takes the sums.
    fn finish_norm(&mut self, image: usize, gradient: &mut [f32]) {
        let Source::Node(node) = &self.pass.saved.source else { return };
        let Some(norm) = &node.norm else { return };
        let y = &node.data[image * gradient.len()..][..gradient.len()];
        let kernels = self.pass.saved.problem.kernels;
        kernels.mask_and_sum(gradient, norm.mask(), y, &norm.affine.mean, &mut self.block_sums);
        self.sums.collect(&mut self.block_sums);
    }
}

/// The sum of the chunks' kernel gradients, in their order.
fn reduce(kernels: Kernels, parts: Vec<Option<Buffer>>) -> Option<Buffer> {
    let mut parts = parts.into_iter().flatten();
    let mut sum = parts.next()?;
    for part in parts {
        kernels.add(&mut sum, &part);
    }
    Some(sum)
}
