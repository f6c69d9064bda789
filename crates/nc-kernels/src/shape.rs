/// A two-dimensional convolution without bias, with square kernel, stride and padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Kernel size (side).
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zero padding on each side of the image, in pixels.
    pub padding: usize,
    /// Number of groups: output channels of a group depend on that group's input channels only.
    pub groups: usize,
}

impl ConvShape {
    /// True if vector kernels exist; larger strides use Candle's own operations.
    pub(crate) fn has_kernels(self) -> bool {
        self.stride <= 2
    }

    /// True if the GPU has kernels; others run on the CPU.
    pub(crate) fn is_on_gpu(self) -> bool {
        self.groups == 1
            && self.in_channels.max(self.out_channels) <= nc_cuda::Layer::MOST_CHANNELS
            && nc_cuda::Layer::is_supported(self.kernel, self.stride)
    }

    /// Shape of the weight, as in PyTorch.
    pub(crate) fn weight_dims(self) -> [usize; 4] {
        [self.out_channels, self.in_channels / self.groups, self.kernel, self.kernel]
    }
}
