use rand::Rng;

use crate::{Error, ImageShape, Result};

/// Random changes to a training image: `RandomCrop` (with padding) and `RandomHorizontalFlip` of torchvision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// P: the image gets P zero pixels on each side, *before* normalisation, and is cropped to its size again at an
    /// offset that is uniform in 0..=2P, down and across. 0 for no crop.
    pub crop_padding: usize,
    /// Whether to mirror an image, left to right, with probability 1/2.
    pub flip: bool,
}

impl Augment {
    /// Refuses a padding that could crop away the whole image.
    pub(crate) fn check(self, ImageShape { height, width, .. }: ImageShape) -> Result<()> {
        let smaller = height.min(width);
        if self.crop_padding >= smaller && self.crop_padding > 0 {
            let found = self.crop_padding;
            return Err(Error::Config(format!(
                "the crop's padding should be below the images' smaller side of {smaller} pixels, found {found}"
            )));
        }
        Ok(())
    }

    pub(crate) fn draw(self, rng: &mut impl Rng) -> Placement {
        let mut offset = || rng.random_range(0..=2 * self.crop_padding);
        let (top, left) = (offset(), offset());
        Placement { padding: self.crop_padding, top, left, mirrored: self.flip && rng.random() }
    }
}

/// One draw of an [`Augment`]: where the crop lies in the padded image, and whether it is mirrored.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placement {
    padding: usize,
    top: usize,
    left: usize,
    mirrored: bool,
}

impl Placement {
    /// Writes an image's `pixels`, cropped and mirrored, through the table of each channel to `out`.
    pub(crate) fn write(self, pixels: &[u8], shape: ImageShape, tables: &[[f32; 256]], out: &mut [f32]) {
        let ImageShape { height, width, .. } = shape;
        let (rows, first_row) = overlap(self.top, self.padding, height);
        let (columns, first_column) = overlap(self.left, self.padding, width);
        let planes = pixels.chunks_exact(height * width).zip(out.chunks_exact_mut(height * width));
        for ((plane, out), table) in planes.zip(tables) {
            for (y, row) in out.chunks_exact_mut(width).enumerate() {
                row.fill(table[0]);
                if rows.contains(&y) {
                    let source = &plane[(first_row + y - rows.start) * width + first_column..];
                    for (value, &pixel) in row[columns.clone()].iter_mut().zip(source) {
                        *value = table[usize::from(pixel)];
                    }
                }
                if self.mirrored {
                    row.reverse();
                }
            }
        }
    }
}

/// The part of a crop, `offset` into a side padded by `padding`, that shows the image: its range in the crop, and
/// where it begins in the image.
fn overlap(offset: usize, padding: usize, side: usize) -> (std::ops::Range<usize>, usize) {
    let start = padding.saturating_sub(offset);
    let first = offset.saturating_sub(padding);
    (start..side - first, first)
}
