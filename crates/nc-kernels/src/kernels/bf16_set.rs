use std::ops::Range;

use half::bf16;
use rayon::prelude::*;

use super::passes::{add_statistics, convert};
use super::problem::Problem;
use super::{Conv, Convolutions, Epilogue, Set, dispatch_dot, pack, transposed_len};
use crate::buffer::Buffer;
use crate::lanes::{LANES, Lanes};

/// Whether the kernels over pairs of bf16 apply. Other convolutions are computed in f32, from and to bf16.
fn has_dot(conv: &Conv) -> bool {
    conv.is_direct() && !conv.planar && conv.shape.groups == 1
}

/// Whether the kernels over pairs, which read two channels as one value, can read the images.
fn holds_pairs(images: &[bf16]) -> bool {
    images.as_ptr().addr().is_multiple_of(align_of::<f32>())
}

/// Packs by `plain`, for the kernels over pairs if `dot`: the values of channels 2i and 2i + 1, rounded to bf16, in the lower
/// and upper half of a value.
fn pack_rounded(dot: bool, len: usize, packed: &mut [f32], columns: usize, plain: impl FnOnce(&mut [f32])) {
    if !dot {
        plain(packed);
        for value in packed {
            *value = bf16::from_f32(*value).to_f32();
        }
        return;
    }
    let mut values = Buffer::take(len);
    plain(&mut values);
    let channel = columns * LANES;
    packed.par_chunks_mut(channel).zip(values.par_chunks(2 * channel)).with_min_len(64).for_each(
        |(pairs, both)| {
            let (lower, upper) = both.split_at(channel);
            for ((pair, lower), upper) in pairs.iter_mut().zip(lower).zip(upper) {
                let [lower, upper] = [lower, upper].map(|value| u32::from(bf16::from_f32(*value).to_bits()));
                *pair = f32::from_bits(upper << 16 | lower);
            }
        },
    );
}

impl<V: Lanes> Convolutions<bf16> for Set<V> {
    fn pack(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
        let plain = |packed: &mut [f32]| pack::pack(conv, weight, packed);
        pack_rounded(has_dot(conv), conv.packed_len(), packed, conv.shape.kernel, plain);
    }

    fn pack_transposed(&self, conv: &Conv, weight: &[f32], packed: &mut [f32]) {
        let plain = |packed: &mut [f32]| pack::pack_transposed(conv, weight, packed);
        pack_rounded(has_dot(conv), transposed_len(conv), packed, conv.shape.kernel, plain);
    }

    fn scratch_len(&self, conv: &Conv) -> usize {
        if has_dot(conv) {
            dispatch_dot::scratch_len(conv)
        } else {
            conv.scratch_len() + conv.in_len().max(conv.in_len_blocked()) + 2 * conv.out_len()
        }
    }

    fn convolve(
        &self,
        conv: &Conv,
        x: &[bf16],
        packed: &[f32],
        y: &mut [bf16],
        mut epilogue: Epilogue<'_, bf16>,
        scratch: &mut [f32],
    ) {
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let end = conv.check_forward(x, packed, y, &mut epilogue);
        assert!(!has_dot(conv) || holds_pairs(x));
        for (image, (x, y)) in x.chunks(in_len).zip(y.chunks_mut(out_len)).enumerate() {
            if has_dot(conv) {
                // SAFETY: the residual was checked to hold all images.
                let end = unsafe { end.at_image(image, out_len) };
                let packed_step = conv.most_sources() * conv.pair_len() / 2;
                let problem = Problem::forward(conv, x, packed, packed_step, y, end);
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe { dispatch_dot::forward::<V>(problem, conv.shape.stride, 0..conv.in_blocks()) }
                continue;
            }
            let (wide_x, rest) = scratch.split_at_mut(in_len);
            let (wide_y, rest) = rest.split_at_mut(out_len);
            let (wide_residual, rest) = rest.split_at_mut(out_len);
            convert::<V, _, _>(x, wide_x);
            let fused = match &mut epilogue {
                Epilogue::Plain | Epilogue::Statistics { .. } => Epilogue::Plain,
                Epilogue::Affine { scale, shift, residual, relu } => {
                    let residual = residual.map(|residual| {
                        convert::<V, _, _>(&residual[image * out_len..][..out_len], wide_residual);
                        &*wide_residual
                    });
                    Epilogue::Affine { scale, shift, residual, relu: *relu }
                }
            };
            plain::<V>().convolve(conv, wide_x, packed, wide_y, fused, rest);
            convert::<V, _, _>(wide_y, y);
            if let Epilogue::Statistics { sums, first } = &mut epilogue {
                add_statistics::<V, _>(y, sums, *first && image == 0);
            }
        }
    }

    fn input_gradient(&self, conv: &Conv, dy: &[bf16], packed: &[f32], dx: &mut [bf16], scratch: &mut [f32]) {
        let (in_len, out_len) = (conv.in_len_blocked(), conv.out_len());
        conv.check_input_gradient(dy, packed, dx);
        assert!(!has_dot(conv) || holds_pairs(dy));
        for (dy, dx) in dy.chunks(out_len).zip(dx.chunks_mut(in_len)) {
            if has_dot(conv) {
                let packed_step = conv.most_targets() * 9 * LANES * LANES / 2;
                let problem = Problem::backward(conv, dy, packed, packed_step, dx);
                let targets = 0..conv.out_blocks();
                // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
                unsafe {
                    match conv.shape.stride {
                        1 => dispatch_dot::forward::<V>(problem, 1, targets),
                        _ => dispatch_dot::spread::<V>(problem, targets),
                    }
                }
                continue;
            }
            let (wide_dy, rest) = scratch.split_at_mut(out_len);
            let (wide_dx, rest) = rest.split_at_mut(in_len);
            convert::<V, _, _>(dy, wide_dy);
            plain::<V>().input_gradient(conv, wide_dy, packed, wide_dx, rest);
            convert::<V, _, _>(wide_dx, dx);
        }
    }

    fn kernel_gradient(
        &self,
        conv: &Conv,
        x: &[bf16],
        dy: &[bf16],
        out_blocks: Range<usize>,
        dw: &mut [f32],
        scratch: &mut [f32],
    ) {
        let (in_len, out_len) = (conv.in_len(), conv.out_len());
        let images = conv.check_kernel_gradient(x, dy, &out_blocks, dw);
        if has_dot(conv) {
            assert!(scratch.len() >= dispatch_dot::scratch_len(conv));
            let (x, dy) = (x.as_ptr(), dy.as_ptr());
            let (dw, scratch) = (dw.as_mut_ptr(), scratch.as_mut_ptr());
            // SAFETY: the processor has the instruction set (`Set::new`), and the lengths were checked above.
            unsafe { dispatch_dot::kernel_gradient::<V>(conv, x, dy, images, out_blocks, dw, scratch) }
            return;
        }
        let (wide_x, rest) = scratch.split_at_mut(in_len);
        let (wide_dy, rest) = rest.split_at_mut(out_len);
        for (x, dy) in x.chunks(in_len).zip(dy.chunks(out_len)) {
            convert::<V, _, _>(x, wide_x);
            convert::<V, _, _>(dy, wide_dy);
            plain::<V>().kernel_gradient(conv, wide_x, wide_dy, out_blocks.clone(), dw, rest);
        }
    }
}

/// The kernels in f32.
fn plain<V: Lanes>() -> impl Convolutions<f32> {
    // SAFETY: a `Set<V>` exists, whose instruction set includes the plain one.
    unsafe { Set::<V::Plain>::new() }
}
