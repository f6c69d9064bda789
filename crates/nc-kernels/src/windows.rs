//! Windows over an image: valid convolutions and poolings, and their output size.

use crate::{ConvShape, Error};

impl ConvShape {
    /// Checks that the shape is a valid convolution.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] with the reason.
    pub fn validate(self) -> Result<(), Error> {
        let Self { in_channels, out_channels, kernel, stride, padding, groups } = self;
        let fail = |reason| Err(Error::Shape { shape: self, reason });
        if in_channels == 0 || out_channels == 0 {
            fail("channels must be at least 1")
        } else if kernel == 0 || stride == 0 {
            fail("kernel and stride must be at least 1")
        } else if padding >= kernel {
            fail("padding must be smaller than the kernel")
        } else if groups == 0 || in_channels % groups != 0 || out_channels % groups != 0 {
            fail("the groups must divide the channels")
        } else {
            Ok(())
        }
    }

    /// Height and width of the output for an image of `height` x `width`.
    ///
    /// # Errors
    ///
    /// [`Error::ImageTooSmall`] if the kernel does not fit the padded image.
    pub fn output_size(self, height: usize, width: usize) -> Result<(usize, usize), Error> {
        let Self { kernel, stride, padding, .. } = self;
        windows((height, width), kernel, stride, padding).ok_or(Error::ImageTooSmall {
            kernel,
            padding,
            height,
            width,
        })
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
        Err(fail("padding must be at most half the kernel"))
    } else {
        windows((height, width), kernel, stride, padding).ok_or(fail("no window fits the image"))
    }
}

/// Number of positions of a square window in a padded image, in both directions; `None` if it does not fit.
fn windows(
    (height, width): (usize, usize),
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Option<(usize, usize)> {
    let places = |size: usize| (size + 2 * padding).checked_sub(kernel).map(|room| room / stride + 1);
    places(height).zip(places(width))
}
