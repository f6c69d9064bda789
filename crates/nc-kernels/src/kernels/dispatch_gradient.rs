//! Choice of tiles for a kernel gradient, and the order in which they traverse the images.

use std::ops::Range;

use super::Conv;
use super::geometry::full_blocks;
use super::kernel_gradient::{GradientTile, OneTap, ThreeTaps};
use crate::lanes::{LANES, Lanes};

/// Values of input and output blocks that fit the L1 cache beside the gradient itself.
const CACHED: usize = 6 * 1024;

/// Kernel gradients of the output blocks `out_blocks` and all their input blocks. Each tile traverses the images once,
/// so large images are cut into bands of rows that stay in the cache from tile to tile.
///
/// # Safety
///
/// The pointers of `all`, which are those of the whole images and the first output block's gradient, must be valid for
/// its sizes, and the processor must have the instruction set.
pub(super) unsafe fn kernel_gradient<V: Lanes>(
    conv: &Conv,
    all: GradientTile,
    out_blocks: Range<usize>,
    padding: usize,
) {
    let row_len = (conv.shape.stride * all.w + all.out_w) * LANES;
    if row_len * all.out_h <= CACHED {
        // SAFETY: guaranteed by the caller.
        unsafe { band::<V>(conv, all, out_blocks, padding) }
        return;
    }
    let band_rows = (CACHED / row_len).max(1);
    for image in 0..all.images {
        for start in (0..all.out_h).step_by(band_rows) {
            // SAFETY: guaranteed by the caller; the image exists.
            unsafe {
                let part = GradientTile {
                    x: all.x.add(image * all.x_step),
                    dy: all.dy.add(image * all.dy_step),
                    images: 1,
                    rows: (start, (start + band_rows).min(all.out_h)),
                    ..all
                };
                band::<V>(conv, part, out_blocks.clone(), padding);
            }
        }
    }
}

/// [`kernel_gradient`] for one band.
///
/// # Safety
///
/// As for [`kernel_gradient`].
unsafe fn band<V: Lanes>(conv: &Conv, all: GradientTile, out_blocks: Range<usize>, padding: usize) {
    let full = full_blocks::<V>(conv.shape.out_channels).clamp(out_blocks.start, out_blocks.end);
    let first = out_blocks.start;
    // SAFETY: guaranteed by the caller.
    unsafe {
        band_blocks::<V>(conv, all, first, first..full, padding);
        band_blocks::<V::Half>(conv, all, first, full..out_blocks.end, padding);
    }
}

/// [`band`] for some output blocks; `all.dw` is that of the block `first_block`.
///
/// # Safety
///
/// As for [`kernel_gradient`].
unsafe fn band_blocks<V: Lanes>(
    conv: &Conv,
    all: GradientTile,
    first_block: usize,
    out_blocks: Range<usize>,
    padding: usize,
) {
    let (kernel, stride, room) = (conv.shape.kernel, conv.shape.stride, conv.most_sources());
    let three_taps = kernel == 3 && padding == 1;
    for block in out_blocks {
        for (pair, source) in conv.sources(block).enumerate() {
            let used = if conv.planar {
                conv.shape.in_channels
            } else {
                Conv::used_lanes(conv.shape.in_channels, source)
            };
            for row in 0..kernel {
                let mut channel = 0;
                while channel < used {
                    // SAFETY: the blocks and channels exist.
                    let at = unsafe {
                        let index = (((block - first_block) * room + pair) * kernel + row) * conv.in_lanes()
                            + channel;
                        let channel_step = if conv.planar { all.h * all.w } else { 1 };
                        GradientTile {
                            row,
                            x: all.x.add(source * all.h * all.w * LANES + channel * channel_step),
                            dy: all.dy.add(block * conv.out_pixels() * LANES),
                            dw: all.dw.add(index * kernel * LANES),
                            ..all
                        }
                    };
                    channel += if const { V::GRADIENT_THREE_TAPS } && three_taps {
                        // SAFETY: guaranteed by the caller.
                        unsafe { three_taps_tile::<V>(at, stride, conv.planar, used - channel) }
                    } else {
                        let mut done = 0;
                        for column in 0..kernel {
                            // SAFETY: guaranteed by the caller.
                            done = unsafe {
                                one_tap_tile::<V>(
                                    at,
                                    column,
                                    kernel,
                                    stride,
                                    padding,
                                    conv.planar,
                                    used - channel,
                                )
                            };
                        }
                        done
                    };
                }
            }
        }
    }
}

/// Runs the largest tile of up to `left` input channels and returns its number of channels. In blocks, all sixteen
/// channels exist even if unused.
///
/// # Safety
///
/// The pointers of `at` must be valid, and the processor must have the instruction set.
unsafe fn three_taps_tile<V: Lanes>(at: GradientTile, stride: usize, planar: bool, left: usize) -> usize {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match (stride, planar) {
            (_, true) => match left {
                1 => V::enter(ThreeTaps::<1, 1, true>(at)),
                2 => V::enter(ThreeTaps::<1, 2, true>(at)),
                3 => V::enter(ThreeTaps::<1, 3, true>(at)),
                _ => V::enter(ThreeTaps::<1, 4, true>(at)),
            },
            (1, false) => V::enter(ThreeTaps::<1, 8, false>(at)),
            (_, false) => V::enter(ThreeTaps::<2, 8, false>(at)),
        }
    }
    if planar { left.min(4) } else { 8 }
}

/// Like [`three_taps_tile`], for the tap in column `column`.
///
/// # Safety
///
/// The pointers of `at` must be valid, and the processor must have the instruction set.
unsafe fn one_tap_tile<V: Lanes>(
    at: GradientTile,
    column: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    planar: bool,
    left: usize,
) -> usize {
    macro_rules! enter {
        ($ci:literal, $planar:literal) => {{
            // SAFETY: guaranteed by the caller.
            unsafe { V::enter(OneTap::<$ci, $planar> { at, column, kernel, stride, padding }) };
            $ci
        }};
    }
    match (planar, left) {
        (true, 1) => enter!(1, true),
        (true, 2) => enter!(2, true),
        (true, 3) => enter!(3, true),
        (true, _) => enter!(4, true),
        (false, _) => {
            if const { V::GRADIENT_CHANNELS == 8 } {
                enter!(8, false)
            } else if const { V::GRADIENT_CHANNELS == 4 } {
                enter!(4, false)
            } else {
                enter!(2, false)
            }
        }
    }
}
