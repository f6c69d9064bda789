//! Bare kernels for this crate's benchmarks, without graph, batch norm or borders. Not part of the public API.

use candle_core::Result;
use rayon::prelude::*;

use crate::ConvShape;
use crate::buffer::Buffer;
use crate::kernels::Kernels;
use crate::kernels::{Conv, Epilogue, pack, pack_transposed, transposed_len};

/// A convolution of a synthetic batch, in chunks of the layers' size. Gradients of wide kernels, which the layers
/// compute in one pass over all images, are measured per chunk too.
pub struct Convolution {
    kernels: Kernels,
    conv: Conv,
    images: usize,
    packed: Buffer,
    transposed: Buffer,
    x: Buffer,
    y: Buffer,
    dx: Buffer,
}

/// Images per kernel call.
const CHUNK: usize = 8;

impl Convolution {
    /// A convolution of `images` images of `h` x `w` pixels.
    ///
    /// # Errors
    ///
    /// If the shape is invalid, its kernel does not fit the images, or NC_KERNELS_ISA is invalid.
    pub fn new(shape: ConvShape, images: usize, h: usize, w: usize) -> Result<Self> {
        let conv = Conv::new(shape, h, w, Conv::reads_planes(shape))?;
        let weight: Vec<f32> = wave(shape.weight_dims().iter().product());
        let mut packed = Buffer::take(conv.packed_len());
        pack(&conv, &weight, &mut packed);
        let mut transposed = Buffer::take(transposed_len(&conv));
        pack_transposed(&conv, &weight, &mut transposed);
        let mut x = Buffer::take(images * conv.in_len());
        x.copy_from_slice(&wave(images * conv.in_len()));
        let mut y = Buffer::take(images * conv.out_len());
        y.copy_from_slice(&wave(images * conv.out_len()));
        let dx = Buffer::zeros(images * conv.in_len_blocked());
        Ok(Self { kernels: crate::isa::kernels()?, conv, images, packed, transposed, x, y, dx })
    }

    /// Floating-point operations per pass, counting a multiply-add as two.
    pub fn operations(&self) -> u64 {
        let ConvShape { in_channels, out_channels, kernel, groups, .. } = self.conv.shape();
        let taps = in_channels / groups * kernel * kernel;
        (2 * self.images * self.conv.out_pixels() * out_channels * taps) as u64
    }

    /// Runs the forward convolution.
    pub fn forward(&mut self) {
        let Self { kernels, conv, packed, x, y, .. } = self;
        y.par_chunks_mut(CHUNK * conv.out_len()).zip(x.par_chunks(CHUNK * conv.in_len())).for_each(
            |(y, x)| {
                let mut scratch = Buffer::take(conv.scratch_len());
                kernels.convolve(conv, x, packed, y, Epilogue::Plain, &mut scratch);
            },
        );
    }

    /// Computes the input gradient.
    pub fn input_gradient(&mut self) {
        let Self { kernels, conv, transposed, y, dx, .. } = self;
        let chunks = dx.par_chunks_mut(CHUNK * conv.in_len_blocked());
        chunks.zip(y.par_chunks(CHUNK * conv.out_len())).for_each(|(dx, dy)| {
            let mut scratch = Buffer::take(conv.scratch_len());
            kernels.input_gradient(conv, dy, transposed, dx, &mut scratch);
        });
    }

    /// Computes the kernel gradient, one partial sum per chunk.
    pub fn kernel_gradient(&mut self) {
        let Self { kernels, conv, x, y, .. } = self;
        x.par_chunks(CHUNK * conv.in_len()).zip(y.par_chunks(CHUNK * conv.out_len())).for_each(|(x, dy)| {
            let mut scratch = Buffer::take(conv.scratch_len());
            let mut dw = Buffer::zeros(conv.packed_len());
            let images = x.chunks(conv.in_len()).zip(dy.chunks(conv.out_len()));
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
