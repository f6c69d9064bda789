use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::dims::Dims;
use super::node::{Blocked, Node};
use super::token::{token, token_gradient, token_storage};
use super::values::to_vec;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::kernels::Windows;
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
    let (source, to) = (&x.node, Dims { h, w, ..from });
    let windows =
        Windows { blocks: from.blocks(), from: (from.h, from.w), to: (h, w), kernel, stride, padding };
    let tracked = x.consume();
    let mut data = Buffer::take(to.len());
    let chosen: Vec<Vec<u32>> = data
        .par_chunks_mut(to.image_len())
        .enumerate()
        .map_init(
            || Buffer::take(source.scratch_len()),
            |scratch, (index, out)| {
                let mut chosen = vec![0; if tracked { to.image_len() } else { 0 }];
                source.kernels.max_pool(windows, source.image(index, scratch), out, &mut chosen);
                chosen
            },
        )
        .collect();
    let node = Arc::new(Node::new(to, data, None, source.kernels));
    let token = if tracked {
        x.token.apply_op1(MaxPool { source: source.clone(), out: node.clone(), chosen })?
    } else {
        token()?
    };
    Ok(Blocked { node, token })
}

struct MaxPool<E: Element> {
    source: Arc<Node<E>>,
    out: Arc<Node<E>>,
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
        let (from, to) = (self.source.dims, self.out.dims);
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
