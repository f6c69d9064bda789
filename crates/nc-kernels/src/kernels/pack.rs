//! Conversion between PyTorch's kernel layout (C_out, C_in / groups, k, k) and that of the vector kernels.
//!
//! Packed: `[output block][input block][row][input channel][column][16 output channels]`, zeros where a channel does
//! not exist or belongs to another group; the input blocks of an output block are those of [`Conv::sources`].

use super::geometry::Conv;
use crate::lanes::LANES;

/// Packs the kernel for the forward convolution.
pub(crate) fn pack(conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    packed[..conv.packed_len()].fill(0.0);
    each(conv, |plain, index| packed[index] = weight[plain]);
}

/// Inverse of [`pack`]: converts a packed kernel gradient to PyTorch's layout.
pub(crate) fn unpack(conv: &Conv, packed: &[f32]) -> Vec<f32> {
    let shape = conv.shape;
    let len = shape.out_channels * (shape.in_channels / shape.groups) * shape.kernel * shape.kernel;
    let mut weight = vec![0.0; len];
    each(conv, |plain, index| weight[plain] = packed[index]);
    weight
}

/// Calls `f` with the PyTorch index and the packed index of every value.
fn each(conv: &Conv, mut f: impl FnMut(usize, usize)) {
    let (shape, lanes, room) = (conv.shape, conv.in_lanes(), conv.most_sources());
    let k = shape.kernel;
    let (in_group, out_group) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    for out in 0..shape.out_channels {
        let first = conv.sources(out / LANES).start;
        for i in 0..in_group {
            let input = out / out_group * in_group + i;
            let pair = out / LANES * room + input / lanes - first;
            for row in 0..k {
                let plain = ((out * in_group + i) * k + row) * k;
                let index = ((pair * k + row) * lanes + input % lanes) * k;
                for column in 0..k {
                    f(plain + column, (index + column) * LANES + out % LANES);
                }
            }
        }
    }
}

/// Values of the kernel packed by [`pack_transposed`].
pub(crate) fn transposed_len(conv: &Conv) -> usize {
    let k = conv.shape.kernel;
    super::geometry::blocks(conv.shape.in_channels) * conv.most_targets() * k * k * LANES * LANES
}

/// Packs the kernel for the input gradient: `[input block][output block][row][output channel][column][16 input
/// channels]`, mirrored in both directions unless the direct stride-2 kernel reads it.
pub(crate) fn pack_transposed(conv: &Conv, weight: &[f32], packed: &mut [f32]) {
    packed[..transposed_len(conv)].fill(0.0);
    let (shape, room) = (conv.shape, conv.most_targets());
    let k = shape.kernel;
    let mirror = !(conv.is_direct() && shape.stride == 2);
    let (in_group, out_group) = (shape.in_channels / shape.groups, shape.out_channels / shape.groups);
    for out in 0..shape.out_channels {
        for i in 0..in_group {
            let input = out / out_group * in_group + i;
            let first = conv.targets(input / LANES).start;
            let pair = input / LANES * room + out / LANES - first;
            for row in 0..k {
                for column in 0..k {
                    let (to_row, to_column) =
                        if mirror { (k - 1 - row, k - 1 - column) } else { (row, column) };
                    let index = ((pair * k + to_row) * LANES + out % LANES) * k + to_column;
                    packed[index * LANES + input % LANES] =
                        weight[((out * in_group + i) * k + row) * k + column];
                }
            }
        }
    }
}
