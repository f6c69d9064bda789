use std::marker::PhantomData;
use std::ops::Range;

use super::kernel_gradient::GradientTile;
use super::problem::Problem;
use super::{
    Conv, Convolutions, Epilogue, border, dispatch_forward, dispatch_gradient, dispatch_pointwise, pack,
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

impl<V: Lanes> Convolutions<f32> for Set<V> {
    fn pack(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
        pack::pack(conv, weight, packed);
    }

    fn pack_transposed(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
        pack::pack_transposed(conv, weight, packed);
    }

    fn scratch_len(&self, conv: &Conv) -> usize {
        conv.scratch_len()
    }

    fn convolve(
        &self,
        conv: &Conv,
        x: &[f32],
        packed: &[f32],
        y: &mut [f32],
        mut epilogue: Epilogue<'_, f32>,
        scratch: &mut [f32],
    ) {
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let end = conv.check_forward(x, packed, y, &mut epilogue);
        assert!(scratch.len() >= conv.scratch_len());
        for (image, (x, y)) in x.chunks(in_len).zip(y.chunks_mut(out_len)).enumerate() {
            // SAFETY: the residual was checked to hold all images.
            let end = unsafe { end.at_image(image, out_len) };
            let mut problem =
                Problem::forward(conv, x, packed, conv.most_sources() * conv.pair_len(), y, end);
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
        conv.check_input_gradient(dy, packed, dx);
        assert!(scratch.len() >= conv.scratch_len());
        let kernel = conv.shape.kernel;
        let packed_step = conv.most_targets() * kernel * kernel * LANES * LANES;
        for (dy, dx) in dy.chunks(conv.out_len()).zip(dx.chunks_mut(conv.in_len_blocked())) {
            let mut problem = Problem::backward(conv, dy, packed, packed_step, dx);
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
        let images = conv.check_kernel_gradient(x, dy, &out_blocks, dw);
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
        if conv.is_pointwise_on_taken() {
            for (x, dy) in x.chunks(in_len).zip(dy.chunks(out_len)) {
                border::take(conv, x, scratch);
                let (x, dy) = (scratch.as_ptr(), dy.as_ptr());
                let image = GradientTile { x, x_step: 0, dy, dy_step: 0, images: 1, ..whole };
                // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
                // `x` has the pixels of the output.
                unsafe { dispatch_pointwise::kernel_gradient::<V>(conv, image, out_blocks.clone()) }
            }
            return;
        }
        let (h, w) = conv.padded();
        for (x, dy) in x.chunks(in_len).zip(dy.chunks(out_len)) {
            let x = if conv.shape.padding == 0 {
                x.as_ptr()
            } else {
                border::pad(conv, x, scratch);
                scratch.as_ptr()
            };
            let dy = dy.as_ptr();
            let image = GradientTile { x, x_step: 0, dy, dy_step: 0, images: 1, h, w, ..whole };
            // SAFETY: the processor has the instruction set (`Set::new`), the lengths were checked above, and
            // `x` is the image in its border.
            unsafe { dispatch_gradient::kernel_gradient::<V>(conv, image, out_blocks.clone(), 0) }
        }
    }
}
