use std::fmt;

use super::{Transform, resize::shorter_side};
use crate::{Error, ImageShape, Result};

/// How streamed images, each of a size of its own, get the common size.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fit {
    /// Scaled to just cover the size and centre-cropped, as images in memory are.
    Cover,
    /// By transforms of the whole image.
    Transforms(Vec<Transform>),
}

impl Fit {
    /// Validates `transforms` from any size to `size`; none stand for [`Fit::Cover`].
    pub(crate) fn new(transforms: &[Transform], (height, width): (usize, usize)) -> Result<Self> {
        if transforms.is_empty() {
            return Ok(Self::Cover);
        }
        let mut size = None;
        for &transform in transforms {
            transform.check(ImageShape { channels: 3, height, width })?;
            size = match transform {
                Transform::Resize { size: shorter, .. } => size.map(|size| shorter_side(size, shorter)),
                Transform::CenterCrop { size } | Transform::RandomResizedCrop { size: Some(size), .. } => {
                    Some((size, size))
                }
                _ => {
                    let message = "expected only resize, center-crop and random-resized-crop with a size";
                    return Err(Error::Config(message.into()));
                }
            };
        }
        if size == Some((height, width)) {
            return Ok(Self::Transforms(transforms.to_vec()));
        }
        let found = size.map_or_else(
            || "images of different sizes; add center-crop".into(),
            |(height, width)| format!("{height}x{width}"),
        );
        Err(Error::Config(format!("expected transforms to {height}x{width} pixels, found {found}")))
    }

    /// The transforms.
    pub(crate) fn transforms(&self) -> &[Transform] {
        match self {
            Self::Cover => &[],
            Self::Transforms(transforms) => transforms,
        }
    }
}

/// Part of the hash of streamed subsets: a change here changes their hashes.
impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::Cover {
            f.write_str("cover")?;
        }
        for transform in self.transforms() {
            match transform {
                Transform::Resize { size, interpolation } => write!(f, "resize {size} {interpolation:?};")?,
                Transform::CenterCrop { size } => write!(f, "center-crop {size};")?,
                other => write!(f, "{other:?};")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Interpolation::Bilinear;

    const RESIZE: Transform = Transform::Resize { size: 256, interpolation: Bilinear };
    const CROP: Transform = Transform::CenterCrop { size: 224 };

    #[test]
    fn fits_have_a_stable_text() {
        let fit = Fit::new(&[RESIZE, CROP], (224, 224)).unwrap();
        assert_eq!(fit.to_string(), "resize 256 Bilinear;center-crop 224;");
        assert_eq!(Fit::new(&[], (3, 4)).unwrap().to_string(), "cover");
    }

    #[test]
    fn fits_end_at_the_common_size() {
        let random =
            |size| Transform::RandomResizedCrop { size, smallest_area: 0.08, interpolation: Bilinear };
        let reason = |transforms: &[Transform], size| Fit::new(transforms, size).unwrap_err().to_string();
        assert!(Fit::new(&[random(Some(64))], (64, 64)).is_ok());
        assert!(reason(&[RESIZE], (256, 256)).contains("found images of different sizes; add center-crop"));
        assert!(reason(&[random(None)], (64, 64)).contains("expected only resize"));
        assert!(reason(&[CROP], (224, 223)).contains("to 224x223 pixels, found 224x224"));
        assert!(reason(&[CROP, Transform::Flip], (224, 224)).contains("expected only resize"));
        assert!(reason(&[random(Some(0))], (224, 224)).contains("a size of random-resized-crop"));
    }
}
