//! Conversion between PyTorch's kernel layout (C_out, C_in / groups, k, k) and that of the vector kernels.
//!
//! Packed: `[output block][input block][row][input channel][column][16 output channels]`, zeros where a channel does
//! not exist or belongs to another group; the input blocks of an output block are those of [`Conv::sources`].

use rayon::prelude::*;

use super::geometry::Conv;
use crate::lanes::LANES;

/// Packs the kernel for the forward convolution.
pub(crate) fn pack(conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    let block_len = conv.most_sources() * conv.pair_len();
    packed[..conv.packed_len()].par_chunks_mut(block_len).enumerate().for_each(|(block, packed)| {
        packed.fill(0.0);
        each(conv, block, |plain, index| packed[index] = weight[plain]);
    });
}

/// Inverse of [`pack`]: converts a packed kernel gradient to PyTorch's layout.
pub(crate) fn unpack(conv: &Conv, packed: &[f32]) -> Vec<f32> {
    let mut weight = vec![0.0; conv.shape.weight_dims().iter().product()];
    let out_len = weight.len() / conv.shape.out_channels;
    let blocks = weight.par_chunks_mut(LANES * out_len).enumerate();
    blocks.zip(packed.par_chunks(conv.most_sources() * conv.pair_len())).for_each(
        |((block, weight), packed)| {
            let first = block * LANES * out_len;
            each(conv, block, |plain, index| weight[plain - first] = packed[index]);
        },
    );
    weight
}

/// Calls `f` with the PyTorch index and the index in the packed block of every value of the output block `block`.
fn each(conv: &Conv, block: usize, mut f: impl FnMut(usize, usize)) {
    let (shape, lanes) = (conv.shape, conv.in_lanes());
    let k = shape.kernel;
    let (in_group, out_group) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let first = conv.sources(block).start;
    for out in (block * LANES..shape.out_channels).take(LANES) {
        for i in 0..in_group {
            let input = out / out_group * in_group + i;
            let source = input / lanes - first;
            for row in 0..k {
                let plain = ((out * in_group + i) * k + row) * k;
                let index = ((source * k + row) * lanes + input % lanes) * k;
                for column in 0..k {
                    f(plain + column, (index + column) * LANES + out % LANES);
                }
            }
        }
    }
}

/// Values of the kernel packed by [`pack_transposed`].
pub(crate) fn transposed_len(conv: &Conv) -> usize {
    super::geometry::blocks(conv.shape.in_channels) * transposed_block_len(conv)
}

fn transposed_block_len(conv: &Conv) -> usize {
    let k = conv.shape.kernel;
    conv.most_targets() * k * k * LANES * LANES
}

/// Packs the kernel for the input gradient: `[input block][output block][row][output channel][column][16 input
/// channels]`, mirrored in both directions unless the direct stride-2 kernel reads it.
pub(crate) fn pack_transposed(conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    let shape = conv.shape;
    let k = shape.kernel;
    let mirror = !(conv.is_direct() && shape.stride == 2);
    let (in_group, out_group) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    let blocks = packed[..transposed_len(conv)].par_chunks_mut(transposed_block_len(conv)).enumerate();
    blocks.for_each(|(block, packed)| {
        packed.fill(0.0);
        let first = conv.targets(block).start;
        for input in (block * LANES..shape.in_channels).take(LANES) {
            let (group, i) = (input / in_group, input % in_group);
            for out in group * out_group..(group + 1) * out_group {
                let target = out / LANES - first;
                let taps = &weight[(out * in_group + i) * k * k..][..k * k];
                for (tap, value) in taps.iter().enumerate() {
                    let (row, column) = (tap / k, tap % k);
                    let (row, column) = if mirror { (k - 1 - row, k - 1 - column) } else { (row, column) };
                    let index = ((target * k + row) * LANES + out % LANES) * k + column;
                    packed[index * LANES + input % LANES] = *value;
                }
            }
        }
    });
}
