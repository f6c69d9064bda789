//! Passes over the batch in a convolution's backward.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::chunks::{chunk_images, pieces};
use super::input_gradient::{InputChunk, InputGradient, Target, Treatment};
use super::job::{Convolution, images_at_once};
use super::saved::Saved;
use super::source::View;
use super::values::to_vec;
use crate::batch_norm::Sums;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::{Kernels, NormCoefficients, transposed_len, unpack};

/// Packed kernel size in values above which the gradient is computed in one pass over all images, parallel over blocks
/// of output channels, instead of one partial gradient per chunk.
const WIDE: usize = 100_000;

/// Tasks of that pass for each thread.
const TASKS_PER_THREAD: usize = 4;

/// The passes over the images that compute kernel gradient and input gradient.
pub(super) struct ConvolutionPass<'a, E: Element> {
    pub(super) saved: &'a Saved<E>,
    /// Output gradient, after the ReLU.
    pub(super) gradient: &'a [E],
    /// Coefficients of batch norm's input gradient; none without batch norm.
    pub(super) coefficients: Option<&'a NormCoefficients>,
    pub(super) kernel_wanted: bool,
}

pub(super) struct PassResults {
    /// In PyTorch's layout.
    pub(super) kernel: Option<Vec<f32>>,
    /// Sums for the input's batch norm, if finished.
    pub(super) sums: Sums,
}

/// Output buffers of one chunk of images.
struct ChunkTargets<'a, E> {
    input: Option<Target<'a, E>>,
    /// Copies of output gradient and input, for a wide kernel's gradient.
    dy: Option<&'a mut [E]>,
    x: Option<&'a mut [E]>,
}

impl<E: Element> ConvolutionPass<'_, E> {
    pub(super) fn run(&self, target: &mut InputGradient<E>) -> Result<PassResults> {
        let Convolution { kernels, conv, out } = self.saved.convolution;
        let chunk = chunk_images(out.n);
        let chunks = out.n.div_ceil(chunk);
        let wide = self.kernel_wanted && conv.packed_len() > WIDE;
        let input_wanted = !matches!(target, InputGradient::Unwanted);

        let mut transposed = Buffer::take(if input_wanted { transposed_len(&conv) } else { 0 });
        if input_wanted {
            kernels.pack_transposed(&conv, &to_vec(&self.saved.weight)?, &mut transposed);
        }
        let channels = crate::kernels::blocks(conv.shape().in_channels) * crate::lanes::LANES;
        self.saved.source.with_view(|view| {
            let copies = |needed: bool, len: usize| (wide && needed).then(|| Buffer::take(out.n * len));
            let mut dy_copy = copies(self.coefficients.is_some(), conv.out_len());
            let mut x_copy = copies(view.scratch_len(1) > 0, conv.in_len());

            let (treatment, values) = target.split();
            let input = match values {
                Some(values) => values.chunks(&conv, chunk).into_iter().map(Some).collect(),
                None => (0..chunks).map(|_| None).collect::<Vec<_>>(),
            };
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

    /// Processes one chunk of images: a partial kernel gradient (unless wide), the input gradient, and the sums for the
    /// input's batch norm.
    fn chunk(
        &self,
        images: Range<usize>,
        view: View<'_, E>,
        transposed: &[f32],
        treatment: Treatment<'_, E>,
        mut targets: ChunkTargets<'_, E>,
        wide: bool,
    ) -> (Option<Buffer>, Sums) {
        let Convolution { kernels, conv, .. } = self.saved.convolution;
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let at_once = images_at_once::<E>(&conv, images.len());
        let mut kernel = (self.kernel_wanted && !wide).then(|| Buffer::zeros(conv.packed_len()));
        let mut kernel_scratch = Buffer::take(kernels.scratch_len(&conv));
        let mut dy_scratch = Buffer::take(if self.coefficients.is_some() { at_once * out_len } else { 0 });
        let mut x_scratch = Buffer::take(view.scratch_len(at_once));
        let mut input = InputChunk::new(self.saved, treatment, targets.input.as_ref(), transposed, at_once);

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
                    let blocks = 0..conv.out_blocks();
                    kernels.kernel_gradient(&conv, x, dy, blocks, kernel, &mut kernel_scratch);
                }
            }
            if let Some(target) = &mut targets.input {
                input.run(step, dy, target.images(&conv, local), &mut kernel_scratch);
            }
        }
        (kernel, input.sums)
    }

    /// Gradient of the convolution's output for the given images.
    fn dy<'s>(&'s self, images: Range<usize>, scratch: &'s mut [E]) -> &'s [E] {
        let Convolution { kernels, conv, .. } = self.saved.convolution;
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

    /// Gradient of a kernel too large for a copy per chunk.
    fn wide_kernel(&self, view: View<'_, E>, x: Option<&[E]>, dy: &[E]) -> Vec<f32> {
        let Convolution { kernels, conv, .. } = self.saved.convolution;
        let x = x.unwrap_or_else(|| view.values());
        let mut sum = Buffer::zeros(conv.packed_len());
        let block_len = conv.packed_len() / conv.out_blocks();
        // Blocks of a task share the input in the cache. The order of each sum does not depend on their number.
        let together = conv.out_blocks().div_ceil(TASKS_PER_THREAD * rayon::current_num_threads());
        sum.par_chunks_mut(together * block_len).enumerate().for_each(|(task, sum)| {
            let mut scratch = Buffer::take(kernels.scratch_len(&conv));
            let blocks = task * together..task * together + sum.len() / block_len;
            kernels.kernel_gradient(&conv, x, dy, blocks, sum, &mut scratch);
        });
        unpack(&conv, &sum)
    }
}

/// Sums the chunks' kernel gradients in order.
fn reduce<E>(kernels: Kernels<E>, parts: Vec<Option<Buffer>>) -> Option<Buffer> {
    let mut parts = parts.into_iter().flatten();
    let mut sum = parts.next()?;
    for part in parts {
        kernels.add_f32(&mut sum, &part);
    }
    Some(sum)
}
