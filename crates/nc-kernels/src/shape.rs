use crate::Error;

/// A two-dimensional convolution without bias, square in kernel, stride and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Side of the kernel.
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros added on each side of the image.
    pub padding: usize,
    /// Number of groups: output channels of a group see the input channels of that group only.
    pub groups: usize,
}

impl ConvShape {
    /// Checks that the numbers make a convolution.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] with the reason.
    pub fn validate(self) -> Result<(), Error> {
        let Self { in_channels, out_channels, kernel, stride, padding, groups } = self;
        let fail = |reason| Err(Error::Shape { shape: self, reason });
        if in_channels == 0 || out_channels == 0 {
            fail("there must be channels")
        } else if kernel == 0 || stride == 0 {
            fail("kernel and stride must be at least 1")
        } else if padding >= kernel {
            fail("the padding must be smaller than the kernel")
        } else if groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
            fail("the groups must divide the channels")
        } else {
            Ok(())
        }
    }

    /// Whether the vector kernels cover it; larger strides are left to Candle's own operations.
    pub(crate) fn has_kernels(self) -> bool {
        self.stride <= 2
    }

    /// Height and width of the output for an image of `height` x `width`.
    pub(crate) fn output_size(self, height: usize, width: usize) -> Result<(usize, usize), Error> {
        let Self { kernel, stride, padding, .. } = self;
        windows((height, width), kernel, stride, padding).ok_or(Error::ImageTooSmall {
            kernel,
            padding,
            height,
            width,
        })
    }

    /// Shape of the weight, as in PyTorch.
    pub(crate) fn weight_dims(self) -> [usize; 4] {
        [self.out_channels, self.in_channels / self.groups, self.kernel, self.kernel]
    }
}

/// Height and width of the output of max pooling, as in PyTorch (rounded down).
pub(crate) fn pooled_size(
    (height, width): (usize, usize),
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<(usize, usize), Error> {
    let fail = |reason| Error::Pooling { kernel, stride, padding, reason };
    if kernel == 0 || stride == 0 {
        Err(fail("kernel and stride must be at least 1"))
    } else if padding > kernel / 2 {
        Err(fail("the padding must be at most half the kernel"))
    } else {
        windows((height, width), kernel, stride, padding).ok_or(fail("no window fits the image"))
    }
}

/// Places of a square window in a padded image, in both directions; none if it does not fit.
fn windows(
    (height, width): (usize, usize),
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Option<(usize, usize)> {
    let places = |size: usize| (size + 2 * padding).checked_sub(kernel).map(|room| room / stride + 1);
    places(height).zip(places(width))
}
