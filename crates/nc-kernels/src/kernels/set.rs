use std::marker::PhantomData;
use std::ops::Range;

use super::elementwise::{Add, GradientSums, MaskAndSum, NormGradient, Normalise, RawMask};
use super::kernel_gradient::GradientTile;
use super::problem::Problem;
use super::tile::TileEnd;
use super::{
    Conv, Epilogue, KernelSet, Mask, NormCoefficients, border, dispatch_forward, dispatch_gradient,
    dispatch_pointwise, transposed_len,
};
use crate::lanes::{LANES, Lanes};

/// Kernels compiled for the instruction set of `V`.
pub(crate) struct Set<V>(PhantomData<V>);

impl<V: Lanes> Set<V> {
    /// # Safety
    ///
    /// The processor must have the instruction set.
    pub(crate) const unsafe fn new() -> Self {
        Self(PhantomData)
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
        assert_eq!(
            (images * in_len, images * out_len),
            (x.len(), y.len()),
            "image sizes do not match the convolution"
        );
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
                out_channels: conv.shape.out_channels,
                out_h: conv.out_h,
                out_w: conv.out_w,
                packed: packed.as_ptr(),
                packed_step: conv.most_sources() * conv.pair_len(),
                // SAFETY: the residual was checked to hold all images.
                end: unsafe { end.at_image(image, out_len) },
            };
            let sources = |block| conv.sources(block);
            let (stride, kernel) = (conv.shape.stride, conv.shape.kernel);
            if conv.is_direct() {
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe {
                    dispatch_forward::direct::<V>(problem, stride, conv.planar, conv.shape.groups, sources);
                }
            } else if conv.is_pointwise() {
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe { dispatch_pointwise::pointwise::<V>(problem) }
            } else {
                border::pad(conv, x, scratch);
                problem.x = scratch.as_ptr();
                (problem.h, problem.w) = conv.padded();
                // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
                // `scratch` has room for the image in its border.
                unsafe { dispatch_forward::general::<V>(problem, kernel, stride, conv.planar, sources) }
            }
        }
    }

    fn input_gradient(&self, conv: &Conv, dy: &[f32], packed: &[f32], dx: &mut [f32], scratch: &mut [f32]) {
        let (in_len, out_len) = (conv.in_len_blocked(), conv.out_len());
        let images = dy.len() / out_len;
        assert_eq!(
            (images * in_len, images * out_len),
            (dx.len(), dy.len()),
            "image sizes do not match the convolution"
        );
        assert!(packed.len() >= transposed_len(conv) && scratch.len() >= conv.scratch_len());
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
                out_channels: conv.shape.in_channels,
                out_h: conv.h,
                out_w: conv.w,
                packed: packed.as_ptr(),
                packed_step,
                end: TileEnd::Plain,
            };
            let targets = |block| conv.targets(block);
            if conv.is_pointwise() {
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe { dispatch_pointwise::pointwise::<V>(problem) }
            } else if kernel == 1 && conv.shape.stride > 1 {
                (problem.out_h, problem.out_w) = (conv.out_h, conv.out_w);
                problem.y = scratch.as_mut_ptr();
                // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
                // `scratch` has room for the seen pixels' gradients.
                unsafe {
                    if conv.shape.groups == 1 {
                        dispatch_pointwise::pointwise::<V>(problem);
                    } else {
                        dispatch_forward::general::<V>(problem, 1, 1, false, targets);
                    }
                }
                border::place(conv, scratch, dx);
            } else if !conv.is_direct() {
                border::spread(conv, dy, scratch);
                problem.x = scratch.as_ptr();
                (problem.h, problem.w) = conv.spread();
                // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
                // `scratch` has room for the spread gradient.
                unsafe { dispatch_forward::general::<V>(problem, kernel, 1, false, targets) }
            } else if conv.shape.stride == 1 {
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe { dispatch_forward::direct::<V>(problem, 1, false, conv.shape.groups, targets) }
            } else {
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe { dispatch_forward::spread::<V>(problem, targets) }
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
        assert_eq!(
            (images * in_len, images * out_len),
            (x.len(), dy.len()),
            "image sizes do not match the convolution"
        );
        let block_step = conv.most_sources() * conv.pair_len();
        assert!(out_blocks.end <= conv.out_blocks() && dw.len() >= out_blocks.len() * block_step);
        assert!(scratch.len() >= conv.scratch_len());
        let whole = GradientTile {
            x: x.as_ptr(),
            x_step: in_len,
            dy: dy.as_ptr(),
            dy_step: out_len,
            images,
            row: 0,
            rows: (0, conv.out_h),
            h: conv.h,
            w: conv.w,
            out_h: conv.out_h,
            out_w: conv.out_w,
            dw: dw.as_mut_ptr(),
        };
        if conv.is_direct() {
            // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
            unsafe { dispatch_gradient::kernel_gradient::<V>(conv, whole, out_blocks, 1) }
            return;
        }
        if conv.is_pointwise() {
            // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
            unsafe { dispatch_pointwise::kernel_gradient::<V>(conv, whole, out_blocks) }
            return;
        }
        let (h, w) = conv.padded();
        for image in 0..images {
            let x = &x[image * in_len..][..in_len];
            let x = if conv.shape.padding == 0 {
                x.as_ptr()
            } else {
                border::pad(conv, x, scratch);
                scratch.as_ptr()
            };
            let dy = dy[image * out_len..][..out_len].as_ptr();
            let image = GradientTile { x, x_step: 0, dy, dy_step: 0, images: 1, h, w, ..whole };
            // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
            // `x` is the image in its border.
            unsafe { dispatch_gradient::kernel_gradient::<V>(conv, image, out_blocks.clone(), 0) }
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
