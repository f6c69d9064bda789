use std::ops::Range;

use crate::lanes::LANES;
use crate::{ConvShape, Error};

/// A convolution of images of one size, and how its data lie in memory.
///
/// Activations are blocked, `[block of 16 channels][row][column][16]` an image, channels padded with zeros; the
/// input may be planar instead, `[channel][row][column]`, for the few channels of a picture.
///
/// The kernels' pointer arithmetic rests on these numbers agreeing with each other: [`Conv::new`] is the one way to
/// come by them, and outside of the kernels they are only read.
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

impl Conv {
    /// A convolution of images of `h` x `w` pixels, that are planar or in blocks.
    ///
    /// # Errors
    ///
    /// If the shape is no convolution or its kernel does not fit the images.
    ///
    /// # Panics
    ///
    /// On a shape that the vector kernels do not cover ([`ConvShape::has_kernels`], [`Conv::reads_planes`]).
    pub(crate) fn new(shape: ConvShape, h: usize, w: usize, planar: bool) -> Result<Self, Error> {
        shape.validate()?;
        assert!(shape.has_kernels(), "{shape:?} is left to Candle's operations");
        assert!(!planar || Self::reads_planes(shape), "{shape:?} reads blocks");
        let (out_h, out_w) = shape.output_size(h, w)?;
        Ok(Self { shape, h, w, out_h, out_w, planar })
    }

    /// Whether a planar input can be read as it is: pictures have few channels, of which blocks would be mostly
    /// padding.
    pub(crate) fn reads_planes(shape: ConvShape) -> bool {
        shape.in_channels <= 4 && shape.groups == 1
    }

    /// The convolution's shape.
    pub(crate) fn shape(&self) -> ConvShape {
        self.shape
    }

    /// Values of an input image (or of its gradient) as planes.
    pub(crate) fn in_len_planar(&self) -> usize {
        self.shape.in_channels * self.h * self.w
    }

    /// Whether the 3x3 kernels that handle the border themselves apply; the general ones copy the image into a
    /// zero border first.
    pub(crate) fn is_direct(&self) -> bool {
        let ConvShape { kernel, stride, padding, .. } = self.shape;
        kernel == 3 && padding == 1 && (stride == 1 || (stride == 2 && !self.planar))
    }

    /// Channels in a block of the input.
    pub(crate) fn in_lanes(&self) -> usize {
        if self.planar { self.shape.in_channels } else { LANES }
    }

    pub(crate) fn in_blocks(&self) -> usize {
        self.shape.in_channels.div_ceil(self.in_lanes())
    }

    pub(crate) fn out_blocks(&self) -> usize {
        blocks(self.shape.out_channels)
    }

    /// Values of an input image.
    pub(crate) fn in_len(&self) -> usize {
        self.in_blocks() * self.in_lanes() * self.h * self.w
    }

    /// Values of an input image in blocks, whatever the input's own layout: the input gradient's.
    pub(crate) fn in_len_blocked(&self) -> usize {
        blocks(self.shape.in_channels) * LANES * self.h * self.w
    }

    /// Values of an output image.
    pub(crate) fn out_len(&self) -> usize {
        self.out_blocks() * LANES * self.out_h * self.out_w
    }

    /// Pixels of an input image.
    pub(crate) fn in_pixels(&self) -> usize {
        self.h * self.w
    }

    /// Height and width of an output image.
    pub(crate) fn out_size(&self) -> (usize, usize) {
        (self.out_h, self.out_w)
    }

    /// Pixels of an output image.
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

    /// Most input blocks of an output block: the packed kernel has room for as many.
    pub(crate) fn most_sources(&self) -> usize {
        (0..self.out_blocks()).map(|out| self.sources(out).len()).max().unwrap_or(0)
    }

    /// Most output blocks of an input block.
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

    /// Sides of the input with its border.
    pub(crate) fn padded(&self) -> (usize, usize) {
        (self.h + 2 * self.shape.padding, self.w + 2 * self.shape.padding)
    }

    /// Sides of the output's gradient with zeros between its pixels and a border, such that a convolution of
    /// stride 1 gives the input's gradient.
    pub(crate) fn spread(&self) -> (usize, usize) {
        (self.h + self.shape.kernel - 1, self.w + self.shape.kernel - 1)
    }

    /// Values of scratch memory that the general kernels need for one image.
    pub(crate) fn scratch_len(&self) -> usize {
        if self.is_direct() {
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
