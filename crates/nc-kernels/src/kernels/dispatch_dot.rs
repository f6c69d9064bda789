//! Choice of tile size for the convolutions in bf16.

use std::ops::Range;

use half::bf16;

use super::Conv;
use super::dispatch_forward::with_tile;
use super::dot_forward::DotForward;
use super::dot_gradient::{DotGradient, DotTile, PairPixels, pairs_per_row};
use super::dot_spread::DotSpread;
use super::geometry::full_blocks;
use super::problem::Problem;
use super::tile::equal_tiles;
use crate::lanes::{LANES, Lanes};

/// 3x3 convolution of one image with padding 1.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn forward<V: Lanes>(problem: Problem<bf16>, stride: usize, sources: Range<usize>) {
    let (full, half) = problem.out_blocks::<V>();
    // SAFETY: guaranteed by the caller; the blocks exist.
    unsafe {
        forward_blocks::<V>(problem, full, stride, &sources);
        forward_blocks::<V::Half>(problem, half, stride, &sources);
    }
}

/// [`forward`] for some output blocks.
///
/// # Safety
///
/// As for [`forward`]; the blocks must exist.
unsafe fn forward_blocks<V: Lanes>(
    problem: Problem<bf16>,
    out_blocks: Range<usize>,
    stride: usize,
    sources: &Range<usize>,
) {
    let Problem { out_w, packed_step: weight_step, .. } = problem;
    let most = if stride == 1 { V::TILE_STRIDE_1 } else { V::TILE_STRIDE_2 };
    let pixels = equal_tiles(out_w, most);
    let room = V::ACCUMULATORS / pixels;
    let mut block = out_blocks.start;
    while block < out_blocks.end {
        let together = [4, 2, 1].into_iter().find(|&o| o <= room && block + o <= out_blocks.end).unwrap_or(1);
        // SAFETY: the caller guarantees the pointers; the blocks `block..block + together` and their sources exist.
        let part = unsafe { problem.part(block, sources) };
        macro_rules! enter {
            ($s:literal, $p:expr, $o:literal) => {
                // SAFETY: the caller guarantees pointers and processor.
                unsafe { V::enter(DotForward::<$s, $p, $o> { part, weight_step }) }
            };
        }
        match (stride, together) {
            (1, 1) => with_tile!(pixels, V::TILE_STRIDE_1, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16],
                P => enter!(1, P, 1)),
            (1, 2) => with_tile!(pixels, V::ACCUMULATORS / 2, [1 2 3 4 5 6 7 8], P => enter!(1, P, 2)),
            (1, _) => with_tile!(pixels, V::ACCUMULATORS / 4, [1 2 3 4], P => enter!(1, P, 4)),
            (_, 1) => with_tile!(pixels, V::TILE_STRIDE_2, [1 2 3 4 5 6 7 8], P => enter!(2, P, 1)),
            (_, 2) => with_tile!(pixels, V::ACCUMULATORS / 2, [1 2 3 4 5 6 7 8], P => enter!(2, P, 2)),
            (_, _) => with_tile!(pixels, V::ACCUMULATORS / 4, [1 2 3 4], P => enter!(2, P, 4)),
        }
        block += together;
    }
}

/// Input gradient of a 3x3 convolution with padding 1 and stride 2, of one image: `problem.x` is the output gradient,
/// `problem.y` the input gradient.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn spread<V: Lanes>(problem: Problem<bf16>, targets: Range<usize>) {
    let (full, half) = problem.out_blocks::<V>();
    // SAFETY: guaranteed by the caller; the blocks exist.
    unsafe {
        spread_blocks::<V>(problem, full, &targets);
        spread_blocks::<V::Half>(problem, half, &targets);
    }
}

/// [`spread`] for some output blocks.
///
/// # Safety
///
/// As for [`spread`]; the blocks must exist.
unsafe fn spread_blocks<V: Lanes>(problem: Problem<bf16>, out_blocks: Range<usize>, targets: &Range<usize>) {
    let pixels = equal_tiles(problem.w, V::TILE_SPREAD);
    for block in out_blocks {
        // SAFETY: the caller guarantees the pointers; the blocks exist.
        let part = unsafe { problem.part(block, targets) };
        with_tile!(pixels, V::TILE_SPREAD, [1 2 3 4 5 6 7 8], P => {
            // SAFETY: the caller guarantees pointers and processor.
            unsafe { V::enter(DotSpread::<P>(part)) }
        });
    }
}

/// Bytes of input and output rows that fit the L1 cache beside the gradient itself.
const CACHED: usize = 24 * 1024;

/// Pixels of the images that are paired together, if they are small: a tile's gradient is read and written once for them.
const PIXELS_TOGETHER: usize = 256;

/// Images that are paired together.
fn images_together(conv: &Conv) -> usize {
    (PIXELS_TOGETHER / conv.out_pixels()).clamp(1, 8)
}

/// Pairs of one image, as values in `scratch`.
fn pairs_len(conv: &Conv) -> usize {
    conv.in_blocks() * conv.h * pairs_per_row(conv.out_w) * conv.shape.stride * LANES
}

/// Scratch size in values for [`kernel_gradient`].
pub(super) fn scratch_len(conv: &Conv) -> usize {
    images_together(conv) * pairs_len(conv)
}

/// Adds the kernel gradients of the output blocks `out_blocks` and all input blocks to `dw`.
///
/// # Safety
///
/// `x` and `dy` must hold `images` images, `dw` the output blocks, `scratch` [`scratch_len`] values, and the processor must
/// have the instruction set.
pub(super) unsafe fn kernel_gradient<V: Lanes>(
    conv: &Conv,
    x: *const bf16,
    dy: *const bf16,
    images: usize,
    out_blocks: Range<usize>,
    dw: *mut f32,
    scratch: *mut f32,
) {
    let full = full_blocks::<V>(conv.shape.out_channels).clamp(out_blocks.start, out_blocks.end);
    let first_block = out_blocks.start;
    let pairs_step = pairs_len(conv);
    for first in (0..images).step_by(images_together(conv)) {
        let together = images_together(conv).min(images - first);
        // SAFETY: guaranteed by the caller; the images exist.
        unsafe {
            for image in 0..together {
                let x = x.add((first + image) * conv.in_len());
                let pairs = scratch.add(image * pairs_step);
                let (rows, w, out_w) = (conv.in_blocks() * conv.h, conv.w, conv.out_w);
                match conv.shape.stride {
                    1 => V::enter(PairPixels::<1> { x, pairs, rows, w, out_w }),
                    _ => V::enter(PairPixels::<2> { x, pairs, rows, w, out_w }),
                }
            }
            let all = DotTile {
                pairs: scratch,
                pairs_step,
                dy: dy.add(first * conv.out_len()),
                dy_step: conv.out_len(),
                images: together,
                row: 0,
                rows: (0, conv.out_h),
                h: conv.h,
                out_w: conv.out_w,
                dw,
            };
            let row_bytes = (2 * conv.shape.stride.pow(2) + 2) * conv.out_w * LANES;
            let band = (CACHED / row_bytes / together).clamp(1, conv.out_h);
            for start in (0..conv.out_h).step_by(band) {
                let part = DotTile { rows: (start, (start + band).min(conv.out_h)), ..all };
                gradient_blocks::<V>(conv, part, first_block, first_block..full);
                gradient_blocks::<V::Half>(conv, part, first_block, full..out_blocks.end);
            }
        }
    }
}

/// [`kernel_gradient`] for a band of rows and some output blocks; `all.dw` is that of the block `first_block`.
///
/// # Safety
///
/// As for [`kernel_gradient`].
unsafe fn gradient_blocks<V: Lanes>(conv: &Conv, all: DotTile, first_block: usize, out_blocks: Range<usize>) {
    let per_block = conv.h * pairs_per_row(conv.out_w) * conv.shape.stride * LANES;
    for block in out_blocks {
        for source in 0..conv.in_blocks() {
            let used = Conv::used_lanes(conv.shape.in_channels, source);
            for row in 0..3 {
                for channel in (0..used).step_by(V::GRADIENT_CHANNELS) {
                    // SAFETY: the blocks and channels exist, in blocks of sixteen; the rest is guaranteed by the caller.
                    unsafe {
                        let pair = (block - first_block) * conv.in_blocks() + source;
                        let at = DotTile {
                            row,
                            pairs: all.pairs.add(source * per_block + channel),
                            dy: all.dy.add(block * conv.out_pixels() * LANES),
                            dw: all.dw.add(((pair * 3 + row) * LANES + channel) * 3 * LANES),
                            ..all
                        };
                        gradient_tile::<V>(conv.shape.stride, at);
                    }
                }
            }
        }
    }
}

/// A tile of `V::GRADIENT_CHANNELS` input channels.
///
/// # Safety
///
/// The pointers of `at` must be valid, and the processor must have the instruction set.
unsafe fn gradient_tile<V: Lanes>(stride: usize, at: DotTile) {
    macro_rules! enter {
        ($ci:literal) => {
            // SAFETY: guaranteed by the caller.
            unsafe {
                match stride {
                    1 => V::enter(DotGradient::<1, $ci> { at }),
                    _ => V::enter(DotGradient::<2, $ci> { at }),
                }
            }
        };
    }
    if const { V::GRADIENT_CHANNELS == 8 } {
        enter!(8);
    } else if const { V::GRADIENT_CHANNELS == 4 } {
        enter!(4);
    } else {
        enter!(2);
    }
}
