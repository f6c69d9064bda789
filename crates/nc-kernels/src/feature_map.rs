use candle_core::{Result, Tensor};

use crate::{Error, composed};

/// Activations (N, C, H, W) inside a network.
///
/// The layout in memory is this crate's secret; [`FeatureMap::from_images`] and [`FeatureMap::to_tensor`] are the
/// borders. Cloning is cheap and shares the data.
#[derive(Clone, Debug)]
pub struct FeatureMap {
    tensor: Tensor,
}

impl FeatureMap {
    /// Takes a tensor (N, C, H, W) into the network, on any device.
    ///
    /// # Errors
    ///
    /// If the tensor has another rank or no elements.
    pub fn from_images(images: &Tensor) -> Result<Self> {
        if images.rank() != 4 || images.elem_count() == 0 {
            return Err(Error::NotImages(images.dims().to_vec()).into());
        }
        Ok(Self { tensor: images.clone() })
    }

    pub(crate) fn from_tensor(tensor: Tensor) -> Self {
        Self { tensor }
    }

    /// Images, channels, height and width.
    pub fn dims(&self) -> (usize, usize, usize, usize) {
        let dims = self.tensor.dims();
        (dims[0], dims[1], dims[2], dims[3])
    }

    /// The activations as a tensor (N, C, H, W); differentiable.
    pub fn to_tensor(&self) -> Result<Tensor> {
        Ok(self.tensor.clone())
    }

    /// The mean over height and width, (N, C); differentiable.
    pub fn global_avg_pool(&self) -> Result<Tensor> {
        self.tensor.mean((2, 3))
    }

    /// The maximum over windows of `kernel` x `kernel` pixels every `stride` pixels, borders of `padding` pixels
    /// of minus infinity around the image. Differentiable; of equal maxima the first, row by row, gets the
    /// gradient, as in PyTorch.
    ///
    /// # Errors
    ///
    /// If kernel or stride is 0, the padding exceeds half the kernel or no window fits the image.
    pub fn max_pool(&self, kernel: usize, stride: usize, padding: usize) -> Result<Self> {
        Ok(Self { tensor: composed::max_pool(&self.tensor, kernel, stride, padding)? })
    }
}

/// Height and width after max pooling, as in PyTorch (rounded down).
pub(crate) fn pooled_size(
    (height, width): (usize, usize),
    kernel: usize,
    stride: usize,
    padding: usize,
) -> std::result::Result<(usize, usize), Error> {
    let fail = |reason| Err(Error::Pooling { kernel, stride, padding, reason });
    if kernel == 0 || stride == 0 {
        return fail("kernel and stride must be at least 1");
    }
    if 2 * padding > kernel {
        return fail("the padding must be at most half the kernel");
    }
    let side = |size: usize| (size + 2 * padding).checked_sub(kernel).map(|room| room / stride + 1);
    match (side(height), side(width)) {
        (Some(h), Some(w)) => Ok((h, w)),
        _ => fail("no window fits the image"),
    }
}
