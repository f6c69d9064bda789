use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::dims::Dims;
use super::node::{Blocked, Node};
use super::token::{token, token_gradient, token_storage};
use super::values::to_vec;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::lanes::LANES;
use crate::windows::pooled_size;

/// Mean over height and width, (N, C); differentiable.
pub(crate) fn global_average<E: Element>(x: &Blocked<E>) -> Result<Tensor> {
    let op = GlobalAverage(x.node.clone());
    if x.consume() { x.token.apply_op1(op) } else { x.token.apply_op1_no_bwd(&op) }
}

struct GlobalAverage<E: Element>(Arc<Node<E>>);

impl<E: Element> CustomOp1 for GlobalAverage<E> {
    fn name(&self) -> &'static str {
        "global_average"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        let node = &self.0;
        let Dims { n, c, .. } = node.dims;
        let pixels = node.dims.pixels();
        let mut means = vec![0.0; n * c];
        means.par_chunks_mut(c).enumerate().for_each_init(
            || Buffer::take(node.scratch_len()),
            |scratch, (index, means)| {
                let image = node.image(index, scratch);
                for (block, means) in image.chunks(pixels * LANES).zip(means.chunks_mut(LANES)) {
                    let mut sums = [0.0; LANES];
                    for pixel in block.chunks_exact(LANES) {
                        for (sum, value) in sums.iter_mut().zip(pixel) {
                            *sum += value.to_f32();
                        }
                    }
                    for (mean, sum) in means.iter_mut().zip(sums) {
                        *mean = sum / pixels as f32;
                    }
                }
            },
        );
        Ok((CpuStorage::F32(means), Shape::from((n, c))))
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let dims = self.0.dims;
        let gradient = to_vec(gradient)?;
        let share = 1.0 / dims.pixels() as f32;
        let mut spread = Buffer::take(dims.len());
        spread.par_chunks_mut(dims.image_len()).zip(gradient.par_chunks(dims.c)).for_each(
            |(image, gradient)| {
                let blocks = image.chunks_mut(dims.pixels() * LANES);
                for (block, gradient) in blocks.zip(gradient.chunks(LANES)) {
                    let mut value = [E::ZERO; LANES];
                    for (value, gradient) in value.iter_mut().zip(gradient) {
                        *value = E::from_f32(gradient * share);
                    }
                    for pixel in block.chunks_exact_mut(LANES) {
                        pixel.copy_from_slice(&value);
                    }
                }
            },
        );
        self.0.add_gradient(spread);
        token_gradient(arg)
    }
}

/// Max pooling, padded with minus infinity; among equal maxima the first gets the gradient.
pub(crate) fn max_pool<E: Element>(
    x: &Blocked<E>,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<Blocked<E>> {
    let from = x.node.dims;
    let (h, w) = pooled_size((from.h, from.w), kernel, stride, padding)?;
    let window = Window { from, to: Dims { h, w, ..from }, kernel, stride, padding };
    let (source, to) = (&x.node, window.to);
    let tracked = x.consume();
    let mut data = Buffer::take(to.len());
    let chosen: Vec<Vec<u32>> = data
        .par_chunks_mut(to.image_len())
        .enumerate()
        .map_init(
            || Buffer::take(source.scratch_len()),
            |scratch, (index, out)| {
                let mut chosen = vec![0; if tracked { to.image_len() } else { 0 }];
                window.maxima(source.image(index, scratch), out, &mut chosen);
                chosen
            },
        )
        .collect();
    let node = Arc::new(Node::new(to, data, None, source.kernels));
    let token = if tracked {
        x.token.apply_op1(MaxPool { source: source.clone(), out: node.clone(), window, chosen })?
    } else {
        token()?
    };
    Ok(Blocked { node, token })
}

#[derive(Clone, Copy)]
struct Window {
    from: Dims,
    to: Dims,
    kernel: usize,
    stride: usize,
    padding: usize,
}

impl Window {
    /// Computes the maxima of one image and, if `chosen` is not empty, their indices in the image.
    fn maxima<E: Element>(&self, image: &[E], out: &mut [E], chosen: &mut [u32]) {
        let Self { from, to, .. } = *self;
        for block in 0..from.blocks() {
            for y in 0..to.h {
                let rows = self.range(y, from.h);
                for x in 0..to.w {
                    let columns = self.range(x, from.w);
                    let at = ((block * to.h + y) * to.w + x) * LANES;
                    let mut best = [f32::NEG_INFINITY; LANES];
                    let first = (block * from.h + rows.start) * from.w + columns.start;
                    let mut place = [0; LANES];
                    for (lane, place) in place.iter_mut().enumerate() {
                        *place = (first * LANES + lane) as u32;
                    }
                    for row in rows.clone() {
                        for column in columns.clone() {
                            let pixel = ((block * from.h + row) * from.w + column) * LANES;
                            for lane in 0..LANES {
                                let value = image[pixel + lane].to_f32();
                                if value > best[lane] || value.is_nan() {
                                    best[lane] = value;
                                    place[lane] = (pixel + lane) as u32;
                                }
                            }
                        }
                    }
                    out[at..at + LANES].copy_from_slice(&best.map(E::from_f32));
                    if !chosen.is_empty() {
                        chosen[at..at + LANES].copy_from_slice(&place);
                    }
                }
            }
        }
    }

    /// Rows or columns inside the image of the window at `position`.
    fn range(&self, position: usize, size: usize) -> std::ops::Range<usize> {
        let start = position * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(size)
    }
}

struct MaxPool<E: Element> {
    source: Arc<Node<E>>,
    out: Arc<Node<E>>,
    window: Window,
    /// Per image and output value, the index of the maximum in the input image.
    chosen: Vec<Vec<u32>>,
}

impl<E: Element> CustomOp1 for MaxPool<E> {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(&self, arg: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let Window { from, to, .. } = self.window;
        let (gradient, _) = self.out.take_gradient();
        let mut spread = Buffer::<E>::zeros(from.len());
        spread
            .par_chunks_mut(from.image_len())
            .zip(gradient.par_chunks(to.image_len()))
            .zip(&self.chosen)
            .for_each(|((spread, gradient), chosen)| {
                for (place, gradient) in chosen.iter().zip(gradient) {
                    let sum = &mut spread[*place as usize];
                    *sum = E::from_f32(sum.to_f32() + gradient.to_f32());
                }
            });
        self.source.add_gradient(spread);
        token_gradient(arg)
    }
}
