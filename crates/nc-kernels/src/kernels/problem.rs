use std::ops::Range;

use super::geometry::{Conv, blocks, full_blocks};
use super::tile::TileEnd;
use crate::lanes::{LANES, Lanes};

/// A plain convolution problem from input blocks to output blocks, in either direction.
#[derive(Clone, Copy)]
pub(super) struct Problem<E = f32> {
    pub(super) x: *const E,
    pub(super) x_channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) y: *mut E,
    pub(super) out_channels: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    pub(super) packed: *const f32,
    /// Values of an output block's packed kernel.
    pub(super) packed_step: usize,
    pub(super) end: TileEnd<E>,
}

/// The arguments of a [`Problem`]'s kernels for one or more adjacent output blocks.
#[derive(Clone, Copy)]
pub(super) struct Part<E = f32> {
    /// First of the `sources` input blocks of the output blocks. `channels`: from there to the input's last channel.
    pub(super) x: *const E,
    pub(super) sources: usize,
    pub(super) channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    /// Packed kernel of the first output block.
    pub(super) weight: *const f32,
    pub(super) y: *mut E,
    pub(super) end: TileEnd<E>,
}

impl<E: Copy> Problem<E> {
    /// The convolution of the image `x`.
    pub(super) fn forward(
        conv: &Conv,
        x: &[E],
        packed: &[f32],
        packed_step: usize,
        y: &mut [E],
        end: TileEnd<E>,
    ) -> Self {
        Self {
            x: x.as_ptr(),
            x_channels: conv.shape.in_channels,
            h: conv.h,
            w: conv.w,
            y: y.as_mut_ptr(),
            out_channels: conv.shape.out_channels,
            out_h: conv.out_h,
            out_w: conv.out_w,
            packed: packed.as_ptr(),
            packed_step,
            end,
        }
    }

    /// The input gradient of one image, as a convolution of the output gradient `dy`.
    pub(super) fn backward(conv: &Conv, dy: &[E], packed: &[f32], packed_step: usize, dx: &mut [E]) -> Self {
        Self {
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
        }
    }

    /// The output blocks for [`Lanes`] and for [`Lanes::Half`].
    pub(super) fn out_blocks<V: Lanes>(&self) -> (Range<usize>, Range<usize>) {
        let (all, first_half) = (blocks(self.out_channels), full_blocks::<V>(self.out_channels));
        (0..first_half, first_half..all)
    }

    /// The part that begins with the output block `block` and reads the input blocks `sources`.
    ///
    /// # Safety
    ///
    /// These blocks must exist.
    pub(super) unsafe fn part(&self, block: usize, sources: &Range<usize>) -> Part<E> {
        let Self { x, x_channels, h, w, y, out_h, out_w, packed, packed_step, end, .. } = *self;
        let (skipped, block_len) = (sources.start * LANES, out_h * out_w * LANES);
        // SAFETY: the caller guarantees that the blocks exist.
        unsafe {
            Part {
                x: x.add(skipped * h * w),
                sources: sources.len(),
                channels: x_channels - skipped,
                h,
                w,
                out_h,
                out_w,
                weight: packed.add(block * packed_step),
                y: y.add(block * block_len),
                end: end.advance(block, block_len),
            }
        }
    }
}
