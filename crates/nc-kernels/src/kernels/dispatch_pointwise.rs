//! Blocking of 1x1 convolutions for the caches, and choice of the compiled kernel.

use std::ops::Range;

use super::geometry::{Conv, blocks, full_blocks};
use super::kernel_gradient::GradientTile;
use super::pointwise::{Pointwise, PointwiseGradient};
use super::problem::Problem;
use crate::lanes::{LANES, Lanes};

/// Input blocks of a run: the kernel of an output block, 16 KB, stays in the L1 cache.
const SOURCES: usize = 16;
/// Pixels of a run, whose inputs, 192 KB, stay in the L2 cache from output block to output block.
const PIXELS: usize = 192;

/// 1x1 convolution of one image with stride 1, without groups.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn pointwise<V: Lanes>(problem: Problem) {
    let sources = blocks(problem.x_channels);
    let pixels = problem.out_h * problem.out_w;
    let (full, half) = problem.out_blocks::<V>();
    for first in (0..pixels).step_by(PIXELS) {
        let panel = first..pixels.min(first + PIXELS);
        for source in (0..sources).step_by(SOURCES) {
            let run = (source, sources.min(source + SOURCES));
            // SAFETY: guaranteed by the caller; blocks and pixels exist.
            unsafe {
                panel_blocks::<V>(problem, full.clone(), panel.clone(), run);
                panel_blocks::<V::Half>(problem, half.clone(), panel.clone(), run);
            }
        }
    }
}

/// [`pointwise`] for some output blocks, pixels and input blocks.
///
/// # Safety
///
/// As for [`pointwise`]; the blocks and pixels must exist.
unsafe fn panel_blocks<V: Lanes>(
    problem: Problem,
    out_blocks: Range<usize>,
    pixels: Range<usize>,
    run: (usize, usize),
) {
    let mut block = out_blocks.start;
    while block < out_blocks.end {
        let together = V::POINTWISE.1.min(out_blocks.end - block);
        for (size, pixel, tiles) in equal_parts(pixels.clone(), V::POINTWISE.0) {
            // SAFETY: guaranteed by the caller; the blocks `block..block + together` exist.
            unsafe { tiles_of::<V>(problem, block, together, size, (pixel, tiles), run) };
        }
        block += together;
    }
}

/// Runs the kernel for tiles of `size` pixels and `together` output blocks.
///
/// # Safety
///
/// As for [`panel_blocks`].
unsafe fn tiles_of<V: Lanes>(
    problem: Problem,
    block: usize,
    together: usize,
    size: usize,
    (pixel, tiles): (usize, usize),
    sources: (usize, usize),
) {
    // SAFETY: guaranteed by the caller.
    let part = unsafe { problem.part(block, &(0..blocks(problem.x_channels))) };
    macro_rules! enter {
        ($($n:literal)*) => {
            match (size, together) {
                $(($n, 1) if const { $n <= V::POINTWISE.0 } => {
                    let kernel = Pointwise::<$n, 1> { part, weight_step: problem.packed_step, pixel, tiles, sources };
                    // SAFETY: guaranteed by the caller.
                    unsafe { V::enter(kernel) }
                }
                ($n, 2) if const { $n <= V::POINTWISE.0 && V::POINTWISE.1 > 1 } => {
                    let kernel = Pointwise::<$n, 2> { part, weight_step: problem.packed_step, pixel, tiles, sources };
                    // SAFETY: guaranteed by the caller.
                    unsafe { V::enter(kernel) }
                })*
                other => unreachable!("a tile of {other:?}"),
            }
        };
    }
    enter!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// Kernel gradients of the output blocks `out_blocks` and all their input blocks.
///
/// # Safety
///
/// The pointers of `all`, which are those of the whole images and the first output block's gradient, must be valid for
/// its sizes, and the processor must have the instruction set.
pub(super) unsafe fn kernel_gradient<V: Lanes>(conv: &Conv, all: GradientTile, out_blocks: Range<usize>) {
    let pixels = conv.out_pixels();
    // Several small images, or parts of a large one, per run.
    let together = (PIXELS / pixels).max(1);
    for image in (0..all.images).step_by(together) {
        let images = together.min(all.images - image);
        for pixel in (0..pixels).step_by(PIXELS) {
            let run = Run { image, images, pixel, pixels: PIXELS.min(pixels - pixel) };
            // SAFETY: guaranteed by the caller; images and pixels exist.
            unsafe { run_blocks::<V>(conv, all, out_blocks.clone(), run) }
        }
    }
}

/// Images and pixels that are added together.
#[derive(Clone, Copy)]
struct Run {
    image: usize,
    images: usize,
    pixel: usize,
    pixels: usize,
}

/// [`kernel_gradient`] for some images and pixels.
///
/// # Safety
///
/// As for [`kernel_gradient`].
unsafe fn run_blocks<V: Lanes>(conv: &Conv, all: GradientTile, out_blocks: Range<usize>, run: Run) {
    let (sources, plane) = (conv.in_blocks(), conv.out_pixels() * LANES);
    let full = full_blocks::<V>(conv.shape().out_channels);
    for first in (0..sources).step_by(SOURCES) {
        for block in out_blocks.clone() {
            for source in first..sources.min(first + SOURCES) {
                // SAFETY: guaranteed by the caller; blocks, images and pixels exist.
                unsafe {
                    let pair = PointwiseGradient::<LANES> {
                        x: all.x.add(run.image * all.x_step + source * plane + run.pixel * LANES),
                        x_step: all.x_step,
                        dy: all.dy.add(run.image * all.dy_step + block * plane + run.pixel * LANES),
                        dy_step: all.dy_step,
                        images: run.images,
                        pixels: run.pixels,
                        dw: all.dw.add(((block - out_blocks.start) * sources + source) * LANES * LANES),
                    };
                    if block < full { pair_gradient::<V>(pair) } else { pair_gradient::<V::Half>(pair) }
                }
            }
        }
    }
}

/// The gradient for an input and an output block, some input channels at a time.
///
/// # Safety
///
/// As for [`kernel_gradient`].
unsafe fn pair_gradient<V: Lanes>(pair: PointwiseGradient<LANES>) {
    let PointwiseGradient { x, x_step, dy, dy_step, images, pixels, dw } = pair;
    for (size, first, tiles) in equal_parts(0..LANES, V::POINTWISE_GRADIENT) {
        for channel in (first..).step_by(size).take(tiles) {
            macro_rules! enter {
                ($($n:literal)*) => {
                    match size {
                        $($n if const { $n <= V::POINTWISE_GRADIENT } => {
                            // SAFETY: the channel exists; the rest is guaranteed by the caller.
                            unsafe {
                                let (x, dw) = (x.add(channel), dw.add(channel * LANES));
                                V::enter(PointwiseGradient::<$n> { x, x_step, dy, dy_step, images, pixels, dw });
                            }
                        })*
                        other => unreachable!("a tile of {other} channels"),
                    }
                };
            }
            enter!(2 5 6 8 16);
        }
    }
}

/// Parts of equal size or one less, at most `most`: size, start and number of both kinds that exist.
fn equal_parts(range: Range<usize>, most: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let count = range.len().div_ceil(most);
    let size = range.len().div_ceil(count);
    let large = range.len() - count * (size - 1);
    let parts = [(size, range.start, large), (size - 1, range.start + large * size, count - large)];
    parts.into_iter().filter(|(_, _, number)| *number > 0)
}
