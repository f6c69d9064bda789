use crate::kernels::blocks;
use crate::lanes::LANES;

/// Images, channels, height and width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dims {
    pub(crate) n: usize,
    pub(crate) c: usize,
    pub(crate) h: usize,
    pub(crate) w: usize,
}

impl From<Dims> for (usize, usize, usize, usize) {
    fn from(Dims { n, c, h, w }: Dims) -> Self {
        (n, c, h, w)
    }
}

impl Dims {
    pub(crate) fn pixels(self) -> usize {
        self.h * self.w
    }

    pub(crate) fn blocks(self) -> usize {
        blocks(self.c)
    }

    /// Channels, padded to whole blocks.
    pub(crate) fn padded_channels(self) -> usize {
        self.blocks() * LANES
    }

    /// Values per blocked image.
    pub(crate) fn image_len(self) -> usize {
        self.padded_channels() * self.pixels()
    }

    /// Values of all blocked images.
    pub(crate) fn len(self) -> usize {
        self.n * self.image_len()
    }
}
