use std::ops::Range;
use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::conv_backward::{Problem, Saved, SavedNorm};
use super::node::{LazyNorm, Node};
use super::parameters::parameters;
use super::source::{Source, View};
use super::subsample::Subsample;
use super::{Blocked, Dims, Kernels, chunk_images, to_vec, token, token_gradient, token_storage};
use crate::batch_norm::{Affine, Moments, Statistics};
use crate::buffer::Buffer;
use crate::feature_map::Repr;
use crate::kernels::{BlockSums, Conv, Epilogue, pack};
use crate::{ConvNorm, ConvShape, FeatureMap, Mode, Shortcut};

/// A shortcut's node and, for option A, how it is read.
struct Residual {
    from: Blocked,
    subsample: Option<Subsample>,
}

/// A convolution about to run.
struct Job {
    kernels: Kernels,
    conv: Conv,
    out: Dims,
    source: Source,
    /// The argument that stands for the source in Candle's graph.
    argument: Tensor,
    packed: Buffer,
}

impl Job {
    fn new(x: &FeatureMap, kernels: Kernels, weight: &Tensor, shape: ConvShape) -> Result<Self> {
        let (n, c, h, w) = x.dims();
        let (out_h, out_w) = shape.output_size(h, w)?;
        let (source, argument) = match &x.repr {
            Repr::Tensor { tensor, .. } if c <= Conv::MOST_PLANES && shape.groups == 1 => {
                let tensor = tensor.contiguous()?;
                (Source::Planes(tensor.detach()), tensor)
            }
            _ => {
                let x = x.blocked(kernels)?;
                (Source::Node(x.node), x.token)
            }
        };
        let planar = matches!(source, Source::Planes(_));
        let conv = Conv { shape, h, w, out_h, out_w, planar };
        let mut packed = Buffer::take(conv.packed_len());
        pack(&conv, &to_vec(weight)?, &mut packed);
        let out = Dims { n, c: shape.out_channels, h: out_h, w: out_w };
        Ok(Self { kernels, conv, out, source, argument, packed })
    }

    /// Whether gradients of the input are wanted; if so, this is a consumer of its node.
    fn consume(&self) -> bool {
        let tracked = self.argument.track_op();
        if let (true, Source::Node(node)) = (tracked, &self.source) {
            node.add_consumer();
        }
        tracked
    }

    fn problem(&self) -> Problem {
        Problem { kernels: self.kernels, conv: self.conv, out: self.out }
    }

    /// Runs `each` for every chunk: its first image, its output and a worker that convolves images of it.
    fn run<T: Send>(
        &self,
        each: impl Fn(usize, &mut [f32], &mut Worker<'_>) -> T + Sync,
    ) -> Result<(Buffer, Vec<T>)> {
        let mut y = Buffer::take(self.out.len());
        let chunk = chunk_images(self.out.n);
        let results = self.source.with_view(|view| {
            y.par_chunks_mut(chunk * self.out.image_len())
                .enumerate()
                .map(|(index, y)| each(index * chunk, y, &mut Worker::new(self, view, chunk)))
                .collect()
        })?;
        Ok((y, results))
    }

    /// The convolution alone.
    fn run_plain(&self) -> Result<Buffer> {
        let (y, _) = self.run(|first, y, worker| {
            for (images, y) in worker.steps(first, y) {
                worker.convolve(images, y, Epilogue::Plain);
            }
        })?;
        Ok(y)
    }

    /// The convolution and the moments of its output.
    fn run_with_moments(&self) -> Result<(Buffer, Moments)> {
        let (blocks, pixels) = (self.out.blocks(), self.out.pixels());
        let (y, parts) = self.run(|first, y, worker| {
            let mut moments = Moments::empty(self.out.padded_channels());
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
        let mut moments = Moments::empty(self.out.padded_channels());
        for part in parts {
            moments.merge(&part);
        }
        Ok((y, moments))
    }

    /// relu?(affine(conv(x)) + residual) in one pass.
    fn run_fused(&self, affine: &Affine, residual: Option<&Residual>, relu: bool) -> Result<Buffer> {
        let len = self.out.image_len();
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

/// Images to hand to the kernels at once: one, so that it stays in the cache between the passes, unless the kernel
/// is so large that it should be read once for many.
pub(super) fn images_at_once(conv: &Conv, chunk: usize) -> usize {
    if conv.packed_len() > 64 * 1024 { chunk } else { 1 }
}

/// Convolves images of a chunk, with scratch memory for it.
struct Worker<'a> {
    job: &'a Job,
    view: View<'a>,
    at_once: usize,
    input: Buffer,
    border: Buffer,
}

impl<'a> Worker<'a> {
    fn new(job: &'a Job, view: View<'a>, chunk: usize) -> Self {
        let at_once = images_at_once(&job.conv, chunk);
        let input = Buffer::take(view.scratch_len(at_once));
        Self { job, view, at_once, input, border: Buffer::take(job.conv.scratch_len()) }
    }

    /// Cuts a chunk's output, which begins with image `first`, into what is convolved at once.
    fn steps<'y>(
        &self,
        first: usize,
        y: &'y mut [f32],
    ) -> impl Iterator<Item = (Range<usize>, &'y mut [f32])> + use<'y> {
        let (at_once, len) = (self.at_once, self.job.out.image_len());
        y.chunks_mut(at_once * len).enumerate().map(move |(step, y)| {
            let start = first + step * at_once;
            (start..start + y.len() / len, y)
        })
    }

    fn convolve(&mut self, images: Range<usize>, y: &mut [f32], epilogue: Epilogue<'_>) {
        let Job { kernels, conv, packed, .. } = self.job;
        let x = self.view.images(conv, images, &mut self.input);
        kernels.convolve(conv, x, packed, y, epilogue, &mut self.border);
    }
}

/// Reads the shortcut's images of a chunk, with scratch memory for it.
struct ShortcutImages<'a> {
    residual: Option<&'a Residual>,
    normalised: Buffer,
    /// Images that are not read where they lie.
    copies: Buffer,
}

impl<'a> ShortcutImages<'a> {
    /// For chunks of an output of up to `len` values.
    fn new(residual: Option<&'a Residual>, len: usize) -> Self {
        let (normalised, copies) = residual.map_or((0, 0), |residual| {
            let lazy = residual.from.node.norm.is_some();
            (residual.from.node.scratch_len(), if lazy || residual.subsample.is_some() { len } else { 0 })
        });
        Self { residual, normalised: Buffer::take(normalised), copies: Buffer::take(copies) }
    }

    /// The images `range` in the output's shape, `len` values each.
    fn images(&mut self, range: Range<usize>, len: usize) -> Option<&[f32]> {
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

/// The convolution of `x`, without norm; differentiable.
pub(crate) fn plain(x: &FeatureMap, kernels: Kernels, weight: &Tensor, shape: ConvShape) -> Result<Blocked> {
    let job = Job::new(x, kernels, weight, shape)?;
    let data = job.run_plain()?;
    let node = Arc::new(Node::new(job.out, data, None, kernels));
    let argument = job.argument.clone();
    let token = if job.consume() | weight.track_op() {
        // Gamma and beta of a norm that is not there.
        let none = token()?;
        let (parameters, slot) = parameters(weight, &none, &none)?;
        let saved = Saved {
            problem: job.problem(),
            source: job.source,
            weight: weight.clone(),
            norm: None,
            residual: None,
            out: node.clone(),
            slot,
        };
        argument.apply_op3(&parameters, &none, ConvOp(saved))?
    } else {
        token()?
    };
    Ok(Blocked { node, token })
}

/// relu?(batch_norm(conv(x)) + shortcut); differentiable.
pub(crate) fn conv_norm(
    layer: &ConvNorm<'_>,
    kernels: Kernels,
    x: &FeatureMap,
    shortcut: Shortcut<'_>,
    relu: bool,
    mode: Mode,
) -> Result<Blocked> {
    let job = Job::new(x, kernels, layer.weight, layer.shape)?;
    let residual = residual(&job, shortcut)?;
    let parameters_tracked = [layer.weight, layer.gamma, layer.beta].iter().any(|p| p.track_op());
    let shortcut_tracked = residual.as_ref().is_some_and(|residual| residual.from.consume());
    let tracked = job.consume() | parameters_tracked | shortcut_tracked;
    let (gamma, beta) = (to_vec(layer.gamma)?, to_vec(layer.beta)?);
    let affine = |statistics: &Statistics| Affine::new(statistics, &gamma, &beta, layer.eps);

    let (y, affine) = match mode {
        Mode::Train => {
            let (y, moments) = job.run_with_moments()?;
            update_running(layer, &moments)?;
            (y, affine(&moments.statistics()))
        }
        Mode::Eval => {
            let mean = to_vec(layer.running_mean.as_tensor())?;
            let variance = to_vec(layer.running_var.as_tensor())?;
            let affine = affine(&Statistics::fixed(&mean, &variance));
            if !tracked {
                let data = job.run_fused(&affine, residual.as_ref(), relu)?;
                let node = Arc::new(Node::new(job.out, data, None, kernels));
                return Ok(Blocked { node, token: token()? });
            }
            (job.run_plain()?, affine)
        }
    };
    // Without a shortcut the output stays raw, and its readers normalise it.
    let (node, norm) = if let Some(residual) = &residual {
        let data = add_shortcut(&job, &y, &affine, residual, relu);
        (Node::new(job.out, data, None, kernels), Some(SavedNorm { affine, relu, y: Some(y) }))
    } else {
        let norm = SavedNorm { affine: affine.clone(), relu, y: None };
        (Node::new(job.out, y, Some(LazyNorm { affine, relu }), kernels), Some(norm))
    };
    let node = Arc::new(node);
    if !tracked {
        return Ok(Blocked { node, token: token()? });
    }
    let (parameters, slot) = parameters(layer.weight, layer.gamma, layer.beta)?;
    let shortcut = match &residual {
        Some(residual) => residual.from.token.clone(),
        None => token()?,
    };
    let argument = job.argument.clone();
    let saved = Saved {
        problem: job.problem(),
        source: job.source,
        weight: layer.weight.clone(),
        norm,
        residual: residual.map(|residual| (residual.from.node, residual.subsample)),
        out: node.clone(),
        slot,
    };
    let token = argument.apply_op3(&parameters, &shortcut, ConvOp(saved))?;
    Ok(Blocked { node, token })
}

/// The shortcut in blocks.
fn residual(job: &Job, shortcut: Shortcut<'_>) -> Result<Option<Residual>> {
    let (map, stride) = match shortcut {
        Shortcut::None => return Ok(None),
        Shortcut::Identity(map) => (map, None),
        Shortcut::Subsample(map, stride) => (map, Some(stride)),
    };
    let from = map.blocked(job.kernels)?;
    let subsample = stride.map(|stride| Subsample { from: from.node.dims, to: job.out, stride });
    Ok(Some(Residual { from, subsample }))
}

/// relu?(affine(y) + shortcut).
fn add_shortcut(job: &Job, y: &[f32], affine: &Affine, residual: &Residual, relu: bool) -> Buffer {
    let len = job.out.image_len();
    let chunk = chunk_images(job.out.n);
    let mut out = Buffer::take(job.out.len());
    out.par_chunks_mut(chunk * len).zip(y.par_chunks(chunk * len)).enumerate().for_each(
        |(index, (out, y))| {
            let mut shortcut = ShortcutImages::new(Some(residual), len);
            for (image, (out, y)) in out.chunks_mut(len).zip(y.chunks(len)).enumerate() {
                let at = index * chunk + image;
                let residual = shortcut.images(at..at + 1, len);
                job.kernels.normalise(y, &affine.scale, &affine.shift, residual, relu, out);
            }
        },
    );
    out
}

fn update_running(layer: &ConvNorm<'_>, moments: &Moments) -> Result<()> {
    let mut mean = to_vec(layer.running_mean.as_tensor())?;
    let mut variance = to_vec(layer.running_var.as_tensor())?;
    moments.update_running(layer.momentum, &mut mean, &mut variance);
    for (running, values) in [(layer.running_mean, mean), (layer.running_var, variance)] {
        running.set(&Tensor::from_vec(values, running.shape(), running.device())?)?;
    }
    Ok(())
}

/// (input, parameters, shortcut) -> token of the output.
struct ConvOp(Saved);

impl CustomOp3 for ConvOp {
    fn name(&self) -> &'static str {
        "conv_norm"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(
        &self,
        input: &Tensor,
        parameters: &Tensor,
        shortcut: &Tensor,
        _token: &Tensor,
        _gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let planes = self.0.backward(input.track_op(), shortcut.track_op())?;
        let input = match planes {
            Some(planes) => Some(Tensor::from_vec(planes, input.shape(), input.device())?),
            None => token_gradient(input)?,
        };
        Ok((input, token_gradient(parameters)?, token_gradient(shortcut)?))
    }
}
