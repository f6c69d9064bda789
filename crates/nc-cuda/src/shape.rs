use crate::Precision;

/// Channels are zero-padded to a multiple of this.
const CHANNEL_BLOCK: usize = 16;

/// Shape and precision of activations on the device: NHWC, with channels zero-padded to a multiple of 16.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Activations {
    /// Images.
    pub images: usize,
    /// Channels, without the padding.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Storage and products.
    pub precision: Precision,
}

impl Activations {
    /// Channels with the padding.
    pub fn padded(&self) -> usize {
        self.channels.next_multiple_of(CHANNEL_BLOCK)
    }

    /// Pixels of all images.
    pub fn pixels(&self) -> usize {
        self.images * self.height * self.width
    }

    /// Bytes of the activations.
    pub fn bytes(&self) -> usize {
        self.pixels() * self.padded() * self.precision.bytes()
    }

    /// Values of a normalisation's rows: scale, shift, mean and inverse deviation.
    pub fn norm_values(&self) -> usize {
        4 * self.padded()
    }

    /// 16-byte vectors of the activations.
    pub(crate) fn vectors(&self) -> usize {
        self.pixels() * self.padded() / self.precision.vector()
    }
}

/// A convolution with square kernel, without groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Layer {
    /// Input.
    pub input: Activations,
    /// Output; images and precision are those of the input.
    pub output: Activations,
    /// Kernel size (side).
    pub kernel: usize,
    /// Step of the kernel.
    pub stride: usize,
    /// Zeros on each side of the image.
    pub padding: usize,
}

impl Layer {
    /// Most channels of an input or output.
    pub const MOST_CHANNELS: usize = 4096;

    /// True if kernels exist: sizes up to 7, steps 1 and 2.
    pub fn is_supported(kernel: usize, stride: usize) -> bool {
        (1..=7).contains(&kernel) && (1..=2).contains(&stride)
    }
}

/// Layers of all supported kernels and steps, on images of many sizes.
#[cfg(test)]
pub(crate) fn supported_layers() -> impl Iterator<Item = Layer> {
    let precisions = [Precision::Bf16, Precision::Tf32, Precision::F32].into_iter();
    let kernels = precisions.flat_map(|precision| (1..=7).map(move |kernel| (precision, kernel)));
    let kernels = kernels.flat_map(|(precision, kernel)| [1, 2].map(|stride| (precision, kernel, stride)));
    kernels.flat_map(|(precision, kernel, stride)| {
        assert!(Layer::is_supported(kernel, stride));
        (1..=130).chain([224, 300, 1000]).map(move |side| {
            let padding = kernel / 2;
            let size = (side + 2 * padding - kernel) / stride + 1;
            let input = Activations { images: 2, channels: 64, height: side, width: side, precision };
            let output = Activations { channels: 80, height: size, width: size, ..input };
            Layer { input, output, kernel, stride, padding }
        })
    })
}
