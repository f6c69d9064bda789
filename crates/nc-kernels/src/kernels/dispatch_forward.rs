//! Choice of tile size, and thereby of the compiled kernel, for the convolution of one image.

use std::ops::Range;

use super::direct_forward::DirectForward;
use super::direct_spread::DirectSpread;
use super::general_forward::GeneralForward;
use super::problem::Problem;
use super::tile::equal_tiles;
use crate::lanes::Lanes;

/// Runs `$body` with the number of pixels per tile as a constant. Sizes beyond `$most` never occur; omitting them keeps
/// the binary small.
macro_rules! with_tile {
    ($pixels:expr, $most:expr, [$($n:literal)*], $P:ident => $body:expr) => {
        match $pixels {
            $($n => if const { $n <= $most } {
                const $P: usize = $n;
                $body;
            } else {
                unreachable!("a tile of {} pixels", $n)
            })*
            other => unreachable!("a tile of {other} pixels"),
        }
    };
}

pub(super) use with_tile;

/// 3x3 convolution of one image with padding 1.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn direct<V: Lanes>(
    problem: Problem,
    stride: usize,
    planar: bool,
    groups: usize,
    sources: impl Fn(usize) -> Range<usize>,
) {
    let (full, half) = problem.out_blocks::<V>();
    // SAFETY: guaranteed by the caller; the blocks exist.
    unsafe {
        direct_blocks::<V>(problem, full, stride, planar, groups, &sources);
        direct_blocks::<V::Half>(problem, half, stride, planar, groups, &sources);
    }
}

/// [`direct`] for some output blocks.
///
/// # Safety
///
/// As for [`direct`]; the blocks must exist.
unsafe fn direct_blocks<V: Lanes>(
    problem: Problem,
    out_blocks: Range<usize>,
    stride: usize,
    planar: bool,
    groups: usize,
    sources: &impl Fn(usize) -> Range<usize>,
) {
    let Problem { out_w, packed_step, .. } = problem;
    let most = if stride == 1 { V::TILE_STRIDE_1 } else { V::TILE_STRIDE_2 };
    let pixels = equal_tiles(out_w, most);
    let room = if planar || groups > 1 { 1 } else { V::ACCUMULATORS / pixels };
    let mut block = out_blocks.start;
    while block < out_blocks.end {
        let together = [4, 2, 1].into_iter().find(|&o| o <= room && block + o <= out_blocks.end).unwrap_or(1);
        // SAFETY: the caller guarantees the pointers; the blocks `block..block + together` and their sources exist.
        let part = unsafe { problem.part(block, &sources(block)) };
        macro_rules! enter {
            ($s:literal, $p:expr, $o:literal, $planar:literal) => {
                // SAFETY: the caller guarantees pointers and processor.
                unsafe { V::enter(DirectForward::<$s, $p, $o, $planar> { part, weight_step: packed_step }) }
            };
        }
        match (stride, planar, together) {
            (1, true, _) => {
                with_tile!(pixels, V::TILE_STRIDE_1, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16],
                P => enter!(1, P, 1, true));
            }
            (1, false, 1) => {
                with_tile!(pixels, V::TILE_STRIDE_1, [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16],
                P => enter!(1, P, 1, false));
            }
            (1, false, 2) => with_tile!(pixels, V::ACCUMULATORS / 2, [1 2 3 4 5 6 7 8],
                P => enter!(1, P, 2, false)),
            (1, false, _) => {
                with_tile!(pixels, V::ACCUMULATORS / 4, [1 2 3 4], P => enter!(1, P, 4, false));
            }
            (_, _, 1) => {
                with_tile!(pixels, V::TILE_STRIDE_2, [1 2 3 4 5 6 7 8], P => enter!(2, P, 1, false));
            }
            (_, _, 2) => with_tile!(pixels, V::ACCUMULATORS / 2, [1 2 3 4 5 6 7 8],
                P => enter!(2, P, 2, false)),
            (_, _, _) => {
                with_tile!(pixels, V::ACCUMULATORS / 4, [1 2 3 4], P => enter!(2, P, 4, false));
            }
        }
        block += together;
    }
}

/// Convolution of any kernel size, for one image copied into its border.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn general<V: Lanes>(
    problem: Problem,
    kernel: usize,
    stride: usize,
    planar: bool,
    sources: impl Fn(usize) -> Range<usize>,
) {
    let (full, half) = problem.out_blocks::<V>();
    // SAFETY: guaranteed by the caller; the blocks exist.
    unsafe {
        general_blocks::<V>(problem, full, kernel, stride, planar, &sources);
        general_blocks::<V::Half>(problem, half, kernel, stride, planar, &sources);
    }
}

/// [`general`] for some output blocks.
///
/// # Safety
///
/// As for [`general`]; the blocks must exist.
unsafe fn general_blocks<V: Lanes>(
    problem: Problem,
    out_blocks: Range<usize>,
    kernel: usize,
    stride: usize,
    planar: bool,
    sources: &impl Fn(usize) -> Range<usize>,
) {
    let Problem { out_w, .. } = problem;
    let pixels = [8, 4, 2, 1].into_iter().find(|&p| p <= V::TILE_STRIDE_2 && p <= out_w).unwrap_or(1);
    for block in out_blocks {
        // SAFETY: the caller guarantees the pointers; the blocks exist.
        let part = unsafe { problem.part(block, &sources(block)) };
        macro_rules! enter {
            ($s:literal, $p:expr, $planar:literal) => {
                // SAFETY: the caller guarantees pointers and processor.
                unsafe { V::enter(GeneralForward::<$s, $p, $planar> { part, kernel }) }
            };
        }
        match (stride, planar) {
            (1, true) => {
                with_tile!(pixels, V::TILE_STRIDE_2, [1 2 4 8], P => enter!(1, P, true));
            }
            (1, false) => {
                with_tile!(pixels, V::TILE_STRIDE_2, [1 2 4 8], P => enter!(1, P, false));
            }
            (2, true) => {
                with_tile!(pixels, V::TILE_STRIDE_2, [1 2 4 8], P => enter!(2, P, true));
            }
            (2, false) => {
                with_tile!(pixels, V::TILE_STRIDE_2, [1 2 4 8], P => enter!(2, P, false));
            }
            (other, _) => unreachable!("stride {other}"),
        }
    }
}

/// Input gradient of a 3x3 convolution with padding 1 and stride 2, of one image: `problem.x` is the output gradient,
/// `problem.y` the input gradient.
///
/// # Safety
///
/// The pointers of `problem` must be valid for its sizes, and the processor must have the instruction set.
pub(super) unsafe fn spread<V: Lanes>(problem: Problem, targets: impl Fn(usize) -> Range<usize>) {
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
unsafe fn spread_blocks<V: Lanes>(
    problem: Problem,
    out_blocks: Range<usize>,
    targets: &impl Fn(usize) -> Range<usize>,
) {
    let pixels = equal_tiles(problem.w, V::TILE_SPREAD);
    for block in out_blocks {
        // SAFETY: the caller guarantees the pointers; the blocks exist.
        let part = unsafe { problem.part(block, &targets(block)) };
        with_tile!(pixels, V::TILE_SPREAD, [1 2 3 4 5 6 7 8], P => {
            // SAFETY: the caller guarantees pointers and processor.
            unsafe { V::enter(DirectSpread::<P>(part)) }
        });
    }
}
