use std::ops::RangeInclusive;

use super::{
    rand_augment,
    resize::{Interpolation, shorter_side},
};
use crate::{Error, ImageShape, Result};

/// A transform of training images. [`ViewConfig::transforms`](crate::ViewConfig::transforms) applies a list of them in
/// order, on 8-bit pixels before normalisation, with the arithmetic of Pillow and torchvision. All but `crop` and
/// `flip` take images of 1 or 3 channels; colour operations leave grey images as they are.
///
/// The usual list for CIFAR-LT with strong augmentation:
///
/// ```
/// use nc_data::Transform;
///
/// let transforms = [
///     Transform::Crop { padding: 4 },
///     Transform::Flip,
///     Transform::AutoAugmentCifar10,
///     Transform::Cutout { length: 16 },
/// ];
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields))]
pub enum Transform {
    /// Pads each side with P black pixels, then crops to the original size at vertical and horizontal offsets uniform
    /// in 0..=2P: torchvision's `RandomCrop`. At most once in a list.
    Crop {
        /// P in pixels, below the smaller side of the images; commonly 4 for CIFAR.
        #[cfg_attr(feature = "serde", serde(default = "defaults::padding"))]
        #[cfg_attr(feature = "serde", schemars(range(max = 10_000)))]
        padding: usize,
    },
    /// Flips left to right with probability 1/2: torchvision's `RandomHorizontalFlip`. At most once in a list.
    Flip,
    /// Rotates about the centre by an angle uniform from -`degrees` to `degrees`, to the nearest pixel, with black
    /// corners: torchvision's `RandomRotation`.
    Rotation {
        /// Largest angle in degrees; 15 for CIFAR in [RIDE](https://arxiv.org/abs/2010.01809).
        #[cfg_attr(feature = "serde", serde(default = "defaults::degrees"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 180)))]
        degrees: f64,
    },
    /// Crops a random part and resizes it to `size` x `size`, or to the size of the image (antialiased): torchvision's
    /// `RandomResizedCrop`. The area of the part is uniform from `smallest_area` to 1 of the image's, its ratio of
    /// width to height log-uniform from 3/4 to 4/3. If none of ten draws fits in the image, the largest central part of
    /// a permitted ratio is taken.
    RandomResizedCrop {
        /// Height and width of the result in pixels; absent for those of the image.
        #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 10_000)))]
        size: Option<usize>,
        /// Smallest area of the part, as a share of the image's; commonly 0.2 for contrastive views.
        #[cfg_attr(feature = "serde", serde(default = "defaults::smallest_area"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 1)))]
        smallest_area: f64,
        /// Interpolation: `bilinear` or `bicubic`.
        #[cfg_attr(feature = "serde", serde(default))]
        interpolation: Interpolation,
    },
    /// Resizes the shorter side to `size` and the longer in proportion, rounded down (antialiased):
    /// torchvision's `Resize`.
    Resize {
        /// Shorter side of the result in pixels.
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 10_000)))]
        size: usize,
        /// Interpolation: `bilinear` or `bicubic`.
        #[cfg_attr(feature = "serde", serde(default))]
        interpolation: Interpolation,
    },
    /// Crops the centre to `size` x `size`, or pads with black pixels if the image is smaller: torchvision's
    /// `CenterCrop`.
    CenterCrop {
        /// Height and width of the result in pixels.
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 10_000)))]
        size: usize,
    },
    /// Varies brightness, contrast, saturation and hue in random order: torchvision's `ColorJitter`. A strength x draws
    /// a factor uniform from max(0, 1 - x) to 1 + x; 0 leaves the operation out.
    ColorJitter {
        /// Strength of the brightness: pixels are multiplied by the factor.
        #[cfg_attr(feature = "serde", serde(default))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 10)))]
        brightness: f64,
        /// Strength of the contrast: distances from the mean luma are multiplied by the factor.
        #[cfg_attr(feature = "serde", serde(default))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 10)))]
        contrast: f64,
        /// Strength of the saturation: distances from the pixel's luma are multiplied by the factor.
        #[cfg_attr(feature = "serde", serde(default))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 10)))]
        saturation: f64,
        /// Largest shift h of the hue, as a share of the colour circle; the shift is uniform from -h to h.
        #[cfg_attr(feature = "serde", serde(default))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 0.5)))]
        hue: f64,
        /// Probability of applying the jitter to an image.
        #[cfg_attr(feature = "serde", serde(default = "defaults::always"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 1)))]
        probability: f64,
    },
    /// Replaces all channels by the luma 0.299 R + 0.587 G + 0.114 B: torchvision's `RandomGrayscale`.
    Grey {
        /// Probability; 0.2 in [SimCLR](https://arxiv.org/abs/2002.05709).
        #[cfg_attr(feature = "serde", serde(default = "defaults::grey"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 1)))]
        probability: f64,
    },
    /// Blurs by a Gaussian whose standard deviation is uniform from `smallest_sigma` to `largest_sigma`, approximated
    /// by three box blurs as in Pillow's `GaussianBlur` ([MoCo v2](https://arxiv.org/abs/2003.04297)).
    GaussianBlur {
        /// Probability.
        #[cfg_attr(feature = "serde", serde(default = "defaults::blur"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 1)))]
        probability: f64,
        /// Smallest standard deviation in pixels.
        #[cfg_attr(feature = "serde", serde(default = "defaults::smallest_sigma"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 100)))]
        smallest_sigma: f64,
        /// Largest standard deviation in pixels.
        #[cfg_attr(feature = "serde", serde(default = "defaults::largest_sigma"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 100)))]
        largest_sigma: f64,
    },
    /// RandAugment ([Cubuk et al. 2020](https://arxiv.org/abs/1909.13719)) in timm's variant `rand-n2-m10-mstd0.5`,
    /// common in the long-tail literature. Each layer draws one of 15 operations (autocontrast, equalise, invert,
    /// rotate, posterise, solarise, solarise-add, colour, contrast, brightness, sharpness, shear x and y, translate x
    /// and y) with replacement, and applies it with probability 1/2 at a magnitude from N(`magnitude`, `deviation`^2),
    /// clamped to 0..=10.
    RandAugment {
        /// Operations per image.
        #[cfg_attr(feature = "serde", serde(default = "defaults::layers"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 1, max = 100)))]
        layers: usize,
        /// Mean magnitude. 10 means e.g. a rotation by 30 degrees, a translation by 0.45 of the side, a factor of 1.9.
        #[cfg_attr(feature = "serde", serde(default = "defaults::magnitude"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 10)))]
        magnitude: f64,
        /// Standard deviation of the magnitude.
        #[cfg_attr(feature = "serde", serde(default = "defaults::deviation"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 0, max = 10)))]
        deviation: f64,
        /// Colour (R, G, B) outside rotated, sheared and translated images, for grey images its luma. The default is
        /// the mean of ImageNet.
        #[cfg_attr(feature = "serde", serde(default = "defaults::fill"))]
        fill: [u8; 3],
    },
    /// AutoAugment's policy for CIFAR-10 ([Cubuk et al. 2019](https://arxiv.org/abs/1805.09501)): one of 25 pairs of
    /// operations, uniformly, each operation with its own probability and level. Fills with grey (128, 128, 128). Also
    /// used for CIFAR-100.
    #[cfg_attr(feature = "serde", serde(rename = "auto-augment-cifar10"))]
    AutoAugmentCifar10,
    /// Blackens a square around a centre uniform over all pixels, clipped at the border
    /// ([DeVries and Taylor 2017](https://arxiv.org/abs/1708.04552)).
    Cutout {
        /// Side of the square in pixels; an odd one counts as one less. 16 for CIFAR.
        #[cfg_attr(feature = "serde", serde(default = "defaults::length"))]
        #[cfg_attr(feature = "serde", schemars(range(min = 2, max = 10_000)))]
        length: usize,
    },
}

impl Transform {
    /// Number of the kind in the key of the transform's random stream, see
    /// [`transform_stream`](crate::rng::transform_stream).
    pub fn stream_kind(&self) -> u8 {
        match self {
            Self::Crop { .. } => 1,
            Self::Flip => 2,
            Self::Rotation { .. } => 3,
            Self::RandomResizedCrop { .. } => 4,
            Self::Resize { .. } => 5,
            Self::CenterCrop { .. } => 6,
            Self::ColorJitter { .. } => 7,
            Self::Grey { .. } => 8,
            Self::GaussianBlur { .. } => 9,
            Self::RandAugment { .. } => 10,
            Self::AutoAugmentCifar10 => 11,
            Self::Cutout { .. } => 12,
        }
    }

    /// Validates the parameters for images of `shape`, and returns the shape of the results.
    pub(super) fn check(self, shape: ImageShape) -> Result<ImageShape> {
        let ImageShape { height, width, .. } = shape;
        match self {
            Self::Crop { padding } => {
                let smaller = height.min(width);
                if padding >= smaller && padding > 0 {
                    return Err(Error::Config(format!(
                        "expected a crop padding below {smaller}, the images' smaller side in pixels, found {padding}"
                    )));
                }
            }
            Self::Flip | Self::AutoAugmentCifar10 => (),
            Self::Rotation { degrees } => within("degrees of rotation", degrees, 0.0..=180.0)?,
            Self::RandomResizedCrop { size, smallest_area, .. } => {
                within("a smallest area of random-resized-crop", smallest_area, 0.0..=1.0)?;
                if let Some(size) = size {
                    check_size("random-resized-crop", size)?;
                    return Ok(ImageShape { height: size, width: size, ..shape });
                }
            }
            Self::Resize { size, .. } => {
                check_size("resize", size)?;
                let (height, width) = shorter_side((height, width), size);
                return Ok(ImageShape { height, width, ..shape });
            }
            Self::CenterCrop { size } => {
                check_size("center-crop", size)?;
                return Ok(ImageShape { height: size, width: size, ..shape });
            }
            Self::ColorJitter { brightness, contrast, saturation, hue, probability } => {
                within("a brightness of color-jitter", brightness, 0.0..=10.0)?;
                within("a contrast of color-jitter", contrast, 0.0..=10.0)?;
                within("a saturation of color-jitter", saturation, 0.0..=10.0)?;
                within("a hue of color-jitter", hue, 0.0..=0.5)?;
                within("a probability of color-jitter", probability, 0.0..=1.0)?;
            }
            Self::Grey { probability } => within("a probability of grey", probability, 0.0..=1.0)?,
            Self::GaussianBlur { probability, smallest_sigma, largest_sigma } => {
                within("a probability of gaussian-blur", probability, 0.0..=1.0)?;
                within("a largest sigma of gaussian-blur", largest_sigma, 0.0..=100.0)?;
                within("a smallest sigma of gaussian-blur", smallest_sigma, 0.0..=largest_sigma)?;
            }
            Self::RandAugment { layers, magnitude, deviation, .. } => {
                within("layers of rand-augment", layers, 1..=100)?;
                within("a magnitude of rand-augment", magnitude, 0.0..=rand_augment::MOST)?;
                within("a deviation of rand-augment", deviation, 0.0..=rand_augment::MOST)?;
            }
            Self::Cutout { length } => within("a length of cutout", length, 2..=10_000)?,
        }
        Ok(shape)
    }
}

fn check_size(kind: &str, size: usize) -> Result<()> {
    within(&format!("a size of {kind}"), size, 1..=10_000)
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    what: &str,
    value: T,
    range: RangeInclusive<T>,
) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (least, most) = range.into_inner();
    Err(Error::Config(format!("expected {what} from {least} to {most}, found {value}")))
}

/// Values of absent configuration keys.
#[cfg(feature = "serde")]
mod defaults {
    pub(super) fn padding() -> usize {
        4
    }

    pub(super) fn degrees() -> f64 {
        15.0
    }

    pub(super) fn smallest_area() -> f64 {
        0.08
    }

    pub(super) fn always() -> f64 {
        1.0
    }

    pub(super) fn grey() -> f64 {
        0.2
    }

    pub(super) fn blur() -> f64 {
        0.5
    }

    pub(super) fn smallest_sigma() -> f64 {
        0.1
    }

    pub(super) fn largest_sigma() -> f64 {
        2.0
    }

    pub(super) fn layers() -> usize {
        2
    }

    pub(super) fn magnitude() -> f64 {
        10.0
    }

    pub(super) fn deviation() -> f64 {
        0.5
    }

    pub(super) fn fill() -> [u8; 3] {
        [124, 116, 104]
    }

    pub(super) fn length() -> usize {
        16
    }
}
