use std::fmt;

/// The size of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Channels C: 3 for colour, 1 for grey.
    pub channels: usize,
    /// Height H in pixels.
    pub height: usize,
    /// Width W in pixels.
    pub width: usize,
}

impl ImageShape {
    /// Bytes of an image: C H W.
    pub fn values(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Bytes of `images` images; `None` on overflow.
    pub(crate) fn bytes(self, images: usize) -> Option<usize> {
        let pixels = self.channels.checked_mul(self.height)?.checked_mul(self.width)?;
        pixels.checked_mul(images)
    }
}

/// Formats as `3x32x32`.
impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}
