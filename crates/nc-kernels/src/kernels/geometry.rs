use std::ops::Range;

use crate::lanes::{LANES, Lanes};
use crate::{ConvShape, Error};

/// A convolution of images of one size, and the memory layout of its data.
///
/// Activations are blocked, `[block of 16 channels][row][column][16]` per image, with zero-padded channels. The input
/// may instead be planar, `[channel][row][column]`, for images with few channels.
///
/// The kernels' pointer arithmetic relies on these numbers being consistent: [`Conv::new`] is the only constructor, and
/// the fields are read-only outside the kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Conv {
    pub(super) shape: ConvShape,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) out_h: usize,
    pub(super) out_w: usize,
    pub(super) planar: bool,
}

/// Number of blocks of 16 channels.
pub(crate) fn blocks(channels: usize) -> usize {
    channels.div_ceil(LANES)
}

/// Number of blocks of 16 channels that need all lanes: without a last one for [`Lanes::Half`].
pub(super) fn full_blocks<V: Lanes>(channels: usize) -> usize {
    let last = Conv::used_lanes(channels, blocks(channels) - 1);
    blocks(channels) - usize::from(V::HAS_HALF && last <= LANES / 2)
}

impl Conv {
    /// A convolution of `h` x `w` images, planar or in blocks.
    ///
    /// # Errors
    ///
    /// If the shape is invalid or its kernel does not fit the images.
    ///
    /// # Panics
    ///
    /// On a shape that the vector kernels do not cover ([`ConvShape::has_kernels`], [`Conv::reads_planes`]).
    pub(crate) fn new(shape: ConvShape, h: usize, w: usize, planar: bool) -> Result<Self, Error> {
        shape.validate()?;
        assert!(shape.has_kernels(), "{shape:?} has no vector kernels");
        assert!(!planar || Self::reads_planes(shape), "{shape:?} cannot read planes");
        let (out_h, out_w) = shape.output_size(h, w)?;
        Ok(Self { shape, h, w, out_h, out_w, planar })
    }

    /// True if a planar input can be read in place. Images have few channels, so blocks would be mostly padding.
    pub(crate) fn reads_planes(shape: ConvShape) -> bool {
        shape.in_channels <= 4 && shape.groups == 1
    }

    /// The convolution's shape.
    pub(crate) fn shape(&self) -> ConvShape {
        self.shape
    }

    /// Values of a planar input image, or of its gradient.
    pub(crate) fn in_len_planar(&self) -> usize {
        self.shape.in_channels * self.h * self.w
    }

    /// True if the 3x3 kernels that handle the border themselves apply; the general ones first copy the image into a
    /// zero border.
    pub(crate) fn is_direct(&self) -> bool {
        let ConvShape { kernel, stride, padding, .. } = self.shape;
        kernel == 3 && padding == 1 && (stride == 1 || (stride == 2 && !self.planar))
    }

    /// True if the kernels for 1x1 convolutions apply, in both directions.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.shape.stride == 1 && self.is_pointwise_on_taken()
    }

    /// True if the kernels for 1x1 convolutions apply to the pixels that the convolution reads.
    pub(super) fn is_pointwise_on_taken(&self) -> bool {
        let ConvShape { kernel, padding, groups, .. } = self.shape;
        kernel == 1 && padding == 0 && groups == 1 && !self.planar
    }

    /// Channels per block of the input.
    pub(crate) fn in_lanes(&self) -> usize {
        if self.planar { self.shape.in_channels } else { LANES }
    }

    pub(crate) fn in_blocks(&self) -> usize {
        self.shape.in_channels.div_ceil(self.in_lanes())
    }

    pub(crate) fn out_blocks(&self) -> usize {
        blocks(self.shape.out_channels)
    }

    /// Values per input image.
    pub(crate) fn in_len(&self) -> usize {
        self.in_blocks() * self.in_lanes() * self.h * self.w
    }

    /// Values per blocked input image, whatever the input's layout; this is the size of the input gradient.
    pub(crate) fn in_len_blocked(&self) -> usize {
        blocks(self.shape.in_channels) * LANES * self.h * self.w
    }

    /// Values per output image.
    pub(crate) fn out_len(&self) -> usize {
        self.out_blocks() * LANES * self.out_h * self.out_w
    }

    /// Pixels per input image.
    pub(crate) fn in_pixels(&self) -> usize {
        self.h * self.w
    }

    /// Height and width of an output image.
    pub(crate) fn out_size(&self) -> (usize, usize) {
        (self.out_h, self.out_w)
    }

    /// Pixels per output image.
    pub(crate) fn out_pixels(&self) -> usize {
        self.out_h * self.out_w
    }

    /// Input blocks that output block `out` depends on.
    pub(crate) fn sources(&self, out: usize) -> Range<usize> {
        if self.planar {
            return 0..1;
        }
        connected(out, self.shape.out_channels, self.shape.in_channels, self.shape.groups)
    }

    /// Output blocks that depend on block `input` of the (blocked) input.
    pub(crate) fn targets(&self, input: usize) -> Range<usize> {
        connected(input, self.shape.in_channels, self.shape.out_channels, self.shape.groups)
    }

    /// Maximum number of input blocks per output block, for which the packed kernel has room.
    pub(crate) fn most_sources(&self) -> usize {
        (0..self.out_blocks()).map(|out| self.sources(out).len()).max().unwrap_or(0)
    }

    /// Maximum number of output blocks per input block.
    pub(crate) fn most_targets(&self) -> usize {
        (0..blocks(self.shape.in_channels)).map(|input| self.targets(input).len()).max().unwrap_or(0)
    }

    /// Values of the packed kernel of one (output block, input block) pair.
    pub(crate) fn pair_len(&self) -> usize {
        self.in_lanes() * self.shape.kernel * self.shape.kernel * LANES
    }

    /// Values of the packed kernel.
    pub(crate) fn packed_len(&self) -> usize {
        self.out_blocks() * self.most_sources() * self.pair_len()
    }

    /// Channels in use in block `block` of `channels` channels.
    pub(crate) fn used_lanes(channels: usize, block: usize) -> usize {
        (channels - block * LANES).min(LANES)
    }

    /// Height and width of the input with its border.
    pub(crate) fn padded(&self) -> (usize, usize) {
        (self.h + 2 * self.shape.padding, self.w + 2 * self.shape.padding)
    }

    /// Height and width of the output gradient with zeros between pixels and a border, whose convolution at stride 1
    /// is the input gradient.
    pub(crate) fn spread(&self) -> (usize, usize) {
        (self.h + self.shape.kernel - 1, self.w + self.shape.kernel - 1)
    }

    /// Scratch size in values that the general kernels need per image.
    pub(crate) fn scratch_len(&self) -> usize {
        if self.is_direct() || self.is_pointwise() {
            return 0;
        }
        let (padded_h, padded_w) = self.padded();
        let (spread_h, spread_w) = self.spread();
        let input = self.in_blocks() * self.in_lanes() * padded_h * padded_w;
        let gradient = self.out_blocks() * LANES * spread_h * spread_w;
        let seen = blocks(self.shape.in_channels) * LANES * self.out_pixels();
        input.max(gradient).max(seen)
    }
}

/// Blocks of `to` channels that share a group with a channel of block `block` of `from` channels.
fn connected(block: usize, from: usize, to: usize, groups: usize) -> Range<usize> {
    let (from_group, to_group) = (from / groups, to / groups);
    let (first, last) = (block * LANES, (block * LANES + LANES).min(from) - 1);
    let (start, end) = (first / from_group * to_group, (last / from_group + 1) * to_group);
    start / LANES..end.div_ceil(LANES)
}
