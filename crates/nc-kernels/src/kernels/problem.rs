use std::ops::Range;

use super::geometry::{blocks, full_blocks};
use super::tile::TileEnd;
use crate::lanes::{LANES, Lanes};

/// A plain convolution problem from input blocks to output blocks, in either direction.
#[derive(Clone, Copy)]
pub(super) struct Problem {
    pub(super) x: *const f32,
    pub(super) x_channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) y: *mut f32,
    pub(super) out_channels: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    pub(super) packed: *const f32,
    /// Values of an output block's packed kernel.
    pub(super) packed_step: usize,
    pub(super) end: TileEnd,
}

/// The arguments of a [`Problem`]'s kernels for one or more adjacent output blocks.
#[derive(Clone, Copy)]
pub(super) struct Part {
    /// First of the `sources` input blocks of the output blocks. `channels`: from there to the input's last channel.
    pub(super) x: *const f32,
    pub(super) sources: usize,
    pub(super) channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    /// Packed kernel of the first output block.
    pub(super) weight: *const f32,
    pub(super) y: *mut f32,
    pub(super) end: TileEnd,
}

impl Problem {
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
    pub(super) unsafe fn part(&self, block: usize, sources: &Range<usize>) -> Part {
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
