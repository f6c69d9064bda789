//! Choice of tile size, and thereby of the compiled kernel, for the convolution of one image.

use std::ops::Range;

use super::direct_forward::DirectForward;
use super::direct_spread::DirectSpread;
use super::general_forward::GeneralForward;
use super::tile::{TileEnd, equal_tiles};
use crate::lanes::{LANES, Lanes};

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

/// A plain convolution problem from input blocks to output blocks, in either direction.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    pub(super) x: *const f32,
    pub(super) x_channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) y: *mut f32,
    pub(super) out_blocks: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    pub(super) packed: *const f32,
    /// Values of an output block's packed kernel.
    pub(super) packed_step: usize,
    pub(super) end: TileEnd,
}

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
    let Problem { x, x_channels, h, w, y, out_blocks, out_h, out_w, packed, packed_step, end } = problem;
    let most = if stride == 1 { V::TILE_STRIDE_1 } else { V::TILE_STRIDE_2 };
    let pixels = equal_tiles(out_w, most);
    let room = if planar || groups > 1 { 1 } else { V::ACCUMULATORS / pixels };
    let block_len = out_h * out_w * LANES;
    let mut block = 0;
    while block < out_blocks {
        let together = [4, 2, 1].into_iter().find(|&o| o <= room && block + o <= out_blocks).unwrap_or(1);
        let from = sources(block);
        let skipped = from.start * LANES;
        macro_rules! enter {
            ($s:literal, $p:expr, $o:literal, $planar:literal) => {
                // SAFETY: the caller guarantees pointers and processor; the blocks `block..block + together` and
                // `from` exist.
                unsafe {
                    V::enter(DirectForward::<$s, $p, $o, $planar> {
                        x: x.add(skipped * h * w),
                        sources: from.len(),
                        channels: x_channels - skipped,
                        h,
                        w,
                        out_h,
                        out_w,
                        weight: packed.add(block * packed_step),
                        weight_step: packed_step,
                        y: y.add(block * block_len),
                        end: end.advance(block, block_len),
                    });
                }
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
    let Problem { x, x_channels, h, w, y, out_blocks, out_h, out_w, packed, packed_step, end } = problem;
    let pixels = [8, 4, 2, 1].into_iter().find(|&p| p <= V::TILE_STRIDE_2 && p <= out_w).unwrap_or(1);
    let block_len = out_h * out_w * LANES;
    for block in 0..out_blocks {
        let from = sources(block);
        let skipped = from.start * LANES;
        macro_rules! enter {
            ($s:literal, $p:expr, $planar:literal) => {
                // SAFETY: as in `direct`.
                unsafe {
                    V::enter(GeneralForward::<$s, $p, $planar> {
                        x: x.add(skipped * h * w),
                        sources: from.len(),
                        channels: x_channels - skipped,
                        h,
                        w,
                        out_h,
                        out_w,
                        kernel,
                        weight: packed.add(block * packed_step),
                        y: y.add(block * block_len),
                        end: end.advance(block, block_len),
                    });
                }
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
    let Problem { x, x_channels, h, w, y, out_blocks, out_h, out_w, packed, packed_step, .. } = problem;
    let pixels = equal_tiles(w, V::TILE_SPREAD);
    for block in 0..out_blocks {
        let to = targets(block);
        with_tile!(pixels, V::TILE_SPREAD, [1 2 3 4 5 6 7 8], P => {
            // SAFETY: as in `direct`.
            unsafe {
                V::enter(DirectSpread::<P> {
                    dy: x.add(to.start * h * w * LANES),
                    targets: to.len(),
                    channels: x_channels - to.start * LANES,
                    weight: packed.add(block * packed_step),
                    dx: y.add(block * out_h * out_w * LANES),
                    h: out_h,
                    w: out_w,
                    out_h: h,
                    out_w: w,
                });
            }
        });
    }
}
