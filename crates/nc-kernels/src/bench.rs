//! Bare kernels for this crate's benchmarks, without graph, batch norm or borders. Not part of the public API.

use candle_core::Result;
use half::bf16;
use nc_cuda::Precision;
use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::{Conv, Epilogue, Kernels, transposed_len};
use crate::{ConvShape, Error, isa};

/// A convolution of a synthetic batch, in chunks of the layers' size. Gradients of wide kernels, which the layers
/// compute in one pass over all images, are measured per chunk too.
pub trait Convolution {
    /// Floating-point operations per pass, counting a multiply-add as two.
    fn operations(&self) -> u64;
    /// Runs the forward convolution.
    fn forward(&mut self);
    /// Computes the input gradient.
    fn input_gradient(&mut self);
    /// Computes the kernel gradient, one partial sum per chunk.
    fn kernel_gradient(&mut self);
}

/// A convolution of `images` images of `h` x `w` pixels.
///
/// # Errors
///
/// If the shape is invalid, its kernel does not fit the images, NC_KERNELS_ISA is invalid, or the CPU has no kernels in
/// `precision`.
pub fn convolution(
    precision: Precision,
    shape: ConvShape,
    images: usize,
    h: usize,
    w: usize,
) -> Result<Box<dyn Convolution>> {
    let conv = Conv::new(shape, h, w, Conv::reads_planes(shape))?;
    let kernels = isa::kernels()?;
    Ok(match precision {
        Precision::F32 => Box::new(Synthetic::new(kernels.f32, conv, images)),
        Precision::Bf16 => Box::new(Synthetic::<bf16>::new(kernels.bf16, conv, images)),
        Precision::Tf32 => return Err(Error::Precision(precision).into()),
    })
}

struct Synthetic<E: Element> {
    kernels: Kernels<E>,
    conv: Conv,
    images: usize,
    packed: Buffer,
    transposed: Buffer,
    x: Buffer<E>,
    y: Buffer<E>,
    dx: Buffer<E>,
}

/// Images per kernel call.
const CHUNK: usize = 8;

impl<E: Element> Synthetic<E> {
    fn new(kernels: Kernels<E>, conv: Conv, images: usize) -> Self {
        let weight = wave(conv.shape().weight_dims().iter().product());
        let mut packed = Buffer::take(conv.packed_len());
        kernels.pack(&conv, &weight, &mut packed);
        let mut transposed = Buffer::take(transposed_len(&conv));
        kernels.pack_transposed(&conv, &weight, &mut transposed);
        let activations = |len: usize| {
            let mut buffer = Buffer::take(len);
            E::convert(&wave(len), &mut buffer);
            buffer
        };
        let (x, y) = (activations(images * conv.in_len()), activations(images * conv.out_len()));
        let dx = Buffer::zeros(images * conv.in_len_blocked());
        Self { kernels, conv, images, packed, transposed, x, y, dx }
    }
}

impl<E: Element> Convolution for Synthetic<E> {
    fn operations(&self) -> u64 {
        let ConvShape { in_channels, out_channels, kernel, groups, .. } = self.conv.shape();
        let taps = in_channels / groups * kernel * kernel;
        (2 * self.images * self.conv.out_pixels() * out_channels * taps) as u64
    }

    fn forward(&mut self) {
        let Self { kernels, conv, packed, x, y, .. } = self;
        y.par_chunks_mut(CHUNK * conv.out_len()).zip(x.par_chunks(CHUNK * conv.in_len())).for_each(
            |(y, x)| {
                let mut scratch = Buffer::take(kernels.scratch_len(conv));
                kernels.convolve(conv, x, packed, y, Epilogue::Plain, &mut scratch);
            },
        );
    }

    fn input_gradient(&mut self) {
        let Self { kernels, conv, transposed, y, dx, .. } = self;
        let chunks = dx.par_chunks_mut(CHUNK * conv.in_len_blocked());
        chunks.zip(y.par_chunks(CHUNK * conv.out_len())).for_each(|(dx, dy)| {
            let mut scratch = Buffer::take(kernels.scratch_len(conv));
            kernels.input_gradient(conv, dy, transposed, dx, &mut scratch);
        });
    }

    fn kernel_gradient(&mut self) {
        let Self { kernels, conv, x, y, .. } = self;
        x.par_chunks(CHUNK * conv.in_len()).zip(y.par_chunks(CHUNK * conv.out_len())).for_each(|(x, dy)| {
            let mut scratch = Buffer::take(kernels.scratch_len(conv));
            let mut dw = Buffer::zeros(conv.packed_len());
            let together = (E::TOGETHER / conv.in_len().max(conv.out_len())).clamp(1, CHUNK);
            let images = x.chunks(together * conv.in_len()).zip(dy.chunks(together * conv.out_len()));
            for (x, dy) in images {
                kernels.kernel_gradient(conv, x, dy, 0..conv.out_blocks(), &mut dw, &mut scratch);
            }
        });
    }
}

/// `len` deterministic values in -1..1.
fn wave(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i as f32 * 0.7).sin()).collect()
}
