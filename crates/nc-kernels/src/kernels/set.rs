use std::marker::PhantomData;
use std::ops::Range;

use super::direct_forward::DirectForward;
use super::direct_spread::DirectSpread;
use super::elementwise::{Add, GradientSums, MaskAndSum, NormGradient, Normalise, RawMask};
use super::general_forward::GeneralForward;
use super::kernel_gradient::{GradientTile, OneTap, ThreeTaps};
use super::tile::{TileEnd, equal_tiles};
use super::{Conv, Epilogue, KernelSet, Mask, NormCoefficients, border, transposed_len};
use crate::lanes::{LANES, Lanes};

/// The kernels compiled for the instruction set of `V`.
pub(crate) struct Set<V>(PhantomData<V>);

impl<V: Lanes> Set<V> {
    /// # Safety
    ///
    /// The processor must have the instruction set.
    pub(crate) const unsafe fn new() -> Self {
        Self(PhantomData)
    }
}

/// Runs `$body` with the number of pixels of a tile as a constant. Sizes beyond `$most` are never asked for, and
/// leaving them out keeps the program small.
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

/// A plain convolution problem: input blocks to output blocks, whichever way round.
#[derive(Clone, Copy)]
struct Problem {
    x: *const f32,
    x_channels: usize,
    h: usize,
    w: usize,
    y: *mut f32,
    out_blocks: usize,
    out_h: usize,
    out_w: usize,
    packed: *const f32,
    /// Values of the packed kernel of an output block.
    packed_step: usize,
    end: TileEnd,
}

impl<V: Lanes> Set<V> {
    /// 3x3, padding 1, of one image.
    ///
    /// # Safety
    ///
    /// The pointers of `problem` must be valid for its sizes.
    unsafe fn direct(
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
                    // SAFETY: `Set::new`'s caller vouches for the processor, this function's for the pointers;
                    // the blocks `block..block + together` and `from` exist.
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

    /// Any kernel, for one image that lies in its border.
    ///
    /// # Safety
    ///
    /// The pointers of `problem` must be valid for its sizes.
    unsafe fn general(
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
}

impl<V: Lanes> KernelSet for Set<V> {
    fn convolve(
        &self,
        conv: &Conv,
        x: &[f32],
        packed: &[f32],
        y: &mut [f32],
        epilogue: Epilogue<'_>,
        scratch: &mut [f32],
    ) {
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let images = x.len() / in_len;
        assert_eq!((images * in_len, images * out_len), (x.len(), y.len()), "images of another size");
        assert!(packed.len() >= conv.packed_len() && scratch.len() >= conv.scratch_len());
        let channels = conv.out_blocks() * LANES;
        let end = match epilogue {
            Epilogue::Plain => TileEnd::Plain,
            Epilogue::Statistics { sums, first } => {
                assert_eq!(sums.len(), conv.out_blocks());
                TileEnd::Statistics { sums: sums.as_mut_ptr(), set_shift: first }
            }
            Epilogue::Affine { scale, shift, residual, relu } => {
                assert!(scale.len() == channels && shift.len() == channels);
                assert!(residual.is_none_or(|r| r.len() == images * out_len));
                TileEnd::Affine {
                    scale: scale.as_ptr(),
                    shift: shift.as_ptr(),
                    residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
                    relu,
                }
            }
        };
        for image in 0..images {
            let x = &x[image * in_len..][..in_len];
            let y = &mut y[image * out_len..][..out_len];
            let mut problem = Problem {
                x: x.as_ptr(),
                x_channels: conv.shape.in_channels,
                h: conv.h,
                w: conv.w,
                y: y.as_mut_ptr(),
                out_blocks: conv.out_blocks(),
                out_h: conv.out_h,
                out_w: conv.out_w,
                packed: packed.as_ptr(),
                packed_step: conv.most_sources() * conv.pair_len(),
                // SAFETY: a residual was checked to hold all images.
                end: unsafe { end.at_image(image, out_len) },
            };
            let sources = |block| conv.sources(block);
            let (stride, kernel) = (conv.shape.stride, conv.shape.kernel);
            if conv.is_direct() {
                // SAFETY: the lengths were checked above.
                unsafe { Self::direct(problem, stride, conv.planar, conv.shape.groups, sources) }
            } else {
                border::pad(conv, x, scratch);
                problem.x = scratch.as_ptr();
                (problem.h, problem.w) = conv.padded();
                // SAFETY: the lengths were checked above, and `scratch` has room for the image in its border.
                unsafe { Self::general(problem, kernel, stride, conv.planar, sources) }
            }
        }
    }

    fn input_gradient(&self, conv: &Conv, dy: &[f32], packed: &[f32], dx: &mut [f32], scratch: &mut [f32]) {
        let (in_len, out_len) = (conv.in_len_blocked(), conv.out_len());
        let images = dy.len() / out_len;
        assert_eq!((images * in_len, images * out_len), (dx.len(), dy.len()), "images of another size");
        assert!(packed.len() >= transposed_len(conv) && scratch.len() >= conv.scratch_len());
        let in_blocks = super::blocks(conv.shape.in_channels);
        let kernel = conv.shape.kernel;
        let packed_step = conv.most_targets() * kernel * kernel * LANES * LANES;
        for image in 0..images {
            let dy = &dy[image * out_len..][..out_len];
            let dx = &mut dx[image * in_len..][..in_len];
            let mut problem = Problem {
                x: dy.as_ptr(),
                x_channels: conv.shape.out_channels,
                h: conv.out_h,
                w: conv.out_w,
                y: dx.as_mut_ptr(),
                out_blocks: in_blocks,
                out_h: conv.h,
                out_w: conv.w,
                packed: packed.as_ptr(),
                packed_step,
                end: TileEnd::Plain,
            };
            let targets = |block| conv.targets(block);
            if !conv.is_direct() {
                border::spread(conv, dy, scratch);
                problem.x = scratch.as_ptr();
                (problem.h, problem.w) = conv.spread();
                // SAFETY: the lengths were checked above, and `scratch` has room for the spread gradient.
                unsafe { Self::general(problem, kernel, 1, false, targets) }
            } else if conv.shape.stride == 1 {
                // SAFETY: the lengths were checked above.
                unsafe { Self::direct(problem, 1, false, conv.shape.groups, targets) }
            } else {
                let pixels = equal_tiles(conv.out_w, V::TILE_SPREAD);
                for block in 0..in_blocks {
                    let to = conv.targets(block);
                    with_tile!(pixels, V::TILE_SPREAD, [1 2 3 4 5 6 7 8], P => {
                        // SAFETY: the lengths were checked above.
                        unsafe {
                            V::enter(DirectSpread::<P> {
                                dy: problem.x.add(to.start * conv.out_pixels() * LANES),
                                targets: to.len(),
                                channels: conv.shape.out_channels - to.start * LANES,
                                weight: problem.packed.add(block * packed_step),
                                dx: problem.y.add(block * conv.h * conv.w * LANES),
                                h: conv.h,
                                w: conv.w,
                                out_h: conv.out_h,
                                out_w: conv.out_w,
                            });
                        }
                    });
                }
            }
        }
    }

    fn kernel_gradient(
        &self,
        conv: &Conv,
        x: &[f32],
        dy: &[f32],
        out_blocks: Range<usize>,
        dw: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let images = x.len() / in_len;
        assert_eq!((images * in_len, images * out_len), (x.len(), dy.len()), "images of another size");
        let block_step = conv.most_sources() * conv.pair_len();
        assert!(out_blocks.end <= conv.out_blocks() && dw.len() >= out_blocks.len() * block_step);
        assert!(scratch.len() >= conv.scratch_len());
        if conv.is_direct() {
            let image = GradientTile {
                x: x.as_ptr(),
                x_step: in_len,
                dy: dy.as_ptr(),
                dy_step: out_len,
                images,
                row: 0,
                h: conv.h,
                w: conv.w,
                out_h: conv.out_h,
                out_w: conv.out_w,
                dw: dw.as_mut_ptr(),
            };
            // SAFETY: the lengths were checked above.
            unsafe { gradient_rows::<V>(conv, image, out_blocks, 1) }
            return;
        }
        let (h, w) = conv.padded();
        for image in 0..images {
            border::pad(conv, &x[image * in_len..][..in_len], scratch);
            let image = GradientTile {
                x: scratch.as_ptr(),
                x_step: 0,
                dy: dy[image * out_len..][..out_len].as_ptr(),
                dy_step: 0,
                images: 1,
                row: 0,
                h,
                w,
                out_h: conv.out_h,
                out_w: conv.out_w,
                dw: dw.as_mut_ptr(),
            };
            // SAFETY: the lengths were checked above, and `scratch` has room for the image in its border.
            unsafe { gradient_rows::<V>(conv, image, out_blocks.clone(), 0) }
        }
    }

    fn normalise(
        &self,
        y: &[f32],
        scale: &[f32],
        shift: &[f32],
        residual: Option<&[f32]>,
        relu: bool,
        out: &mut [f32],
    ) {
        let blocks = scale.len() / LANES;
        let pixels = y.len() / scale.len();
        assert_eq!((blocks * pixels * LANES, shift.len(), out.len()), (y.len(), scale.len(), y.len()));
        assert!(residual.is_none_or(|r| r.len() == y.len()));
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(Normalise {
                y: y.as_ptr(),
                scale: scale.as_ptr(),
                shift: shift.as_ptr(),
                residual: residual.map_or(std::ptr::null(), <[f32]>::as_ptr),
                relu,
                out: out.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn mask_and_sum(
        &self,
        gradient: &mut [f32],
        mask: Mask<'_>,
        y: &[f32],
        mean: &[f32],
        sums: &mut [GradientSums],
    ) {
        let blocks = sums.len();
        let pixels = y.len() / mean.len();
        let channels = blocks * LANES;
        assert_eq!((channels * pixels, channels, y.len()), (y.len(), mean.len(), gradient.len()));
        let mask = match mask {
            Mask::Open => RawMask::Open,
            Mask::Values(values) => {
                assert_eq!(values.len(), y.len());
                RawMask::Values(values.as_ptr())
            }
            Mask::Affine { scale, shift } => {
                assert!(scale.len() == channels && shift.len() == channels);
                RawMask::Affine { scale: scale.as_ptr(), shift: shift.as_ptr() }
            }
        };
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(MaskAndSum {
                gradient: gradient.as_mut_ptr(),
                mask,
                y: y.as_ptr(),
                mean: mean.as_ptr(),
                sums: sums.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn norm_gradient(&self, gradient: &[f32], y: &[f32], by: &NormCoefficients, dy: &mut [f32]) {
        let NormCoefficients { mean, scale, slope, offset } = by;
        let blocks = mean.len() / LANES;
        let pixels = y.len() / mean.len();
        assert_eq!((blocks * pixels * LANES, gradient.len(), dy.len()), (y.len(), y.len(), y.len()));
        assert!([scale, slope, offset].into_iter().all(|c| c.len() == mean.len()));
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(NormGradient {
                gradient: gradient.as_ptr(),
                y: y.as_ptr(),
                mean: mean.as_ptr(),
                scale: scale.as_ptr(),
                slope: slope.as_ptr(),
                offset: offset.as_ptr(),
                dy: dy.as_mut_ptr(),
                blocks,
                pixels,
            });
        }
    }

    fn add(&self, sum: &mut [f32], term: &[f32]) {
        assert!(sum.len() == term.len() && sum.len().is_multiple_of(LANES));
        // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
        unsafe {
            V::enter(Add { sum: sum.as_mut_ptr(), term: term.as_ptr(), vectors: sum.len() / LANES });
        }
    }
}

/// The kernel gradients of the pairs (output block, input block): all rows, columns and input channels.
///
/// # Safety
///
/// The pointers of `all`, which are those of the whole images and of the first output block's gradient, must be
/// valid for its sizes, and the processor must have the instruction set.
unsafe fn gradient_rows<V: Lanes>(conv: &Conv, all: GradientTile, out_blocks: Range<usize>, padding: usize) {
    let (kernel, stride, room) = (conv.shape.kernel, conv.shape.stride, conv.most_sources());
    let three_taps = kernel == 3 && padding == 1;
    let first_block = out_blocks.start;
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
                        // SAFETY: the caller's promises.
                        unsafe { three_taps_tile::<V>(at, stride, conv.planar, used - channel) }
                    } else {
                        let mut done = 0;
                        for column in 0..kernel {
                            // SAFETY: the caller's promises.
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

/// Runs the largest tile of up to `left` input channels and says how many it had. In blocks, channels up to the
/// sixteenth exist even where they are not in use.
///
/// # Safety
///
/// The pointers of `at` must be valid, and the processor must have the instruction set.
unsafe fn three_taps_tile<V: Lanes>(at: GradientTile, stride: usize, planar: bool, left: usize) -> usize {
    // SAFETY: the caller's promises.
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

/// As [`three_taps_tile`], for the tap in column `column`.
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
            // SAFETY: the caller's promises.
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
