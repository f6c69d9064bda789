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
    /// Whether the vector kernels cover it; larger strides are left to Candle's own operations.
    pub(crate) fn has_kernels(self) -> bool {
        self.stride <= 2
    }

    /// Shape of the weight, as in PyTorch.
    pub(crate) fn weight_dims(self) -> [usize; 4] {
        [self.out_channels, self.in_channels / self.groups, self.kernel, self.kernel]
    }
}
