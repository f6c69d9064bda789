use rand::Rng;

use crate::{Error, ImageShape, Result};

/// Random augmentation of a training image: `RandomCrop` (with padding) and `RandomHorizontalFlip` of torchvision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// P: pad each side by P zero pixels *before* normalisation, then crop to the original size at vertical and
    /// horizontal offsets uniform in 0..=2P. 0 for no crop.
    pub crop_padding: usize,
    /// Flip left to right with probability 1/2.
    pub flip: bool,
}

impl Augment {
    /// Refuses a padding that could crop away the whole image.
    pub(crate) fn check(self, ImageShape { height, width, .. }: ImageShape) -> Result<()> {
        let smaller = height.min(width);
        if self.crop_padding >= smaller && self.crop_padding > 0 {
            let found = self.crop_padding;
            return Err(Error::Config(format!(
                "expected a crop padding below {smaller}, the images' smaller side in pixels, found {found}"
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

/// One draw of an [`Augment`]: offset of the crop in the padded image, and whether it is flipped.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Placement {
    padding: usize,
    top: usize,
    left: usize,
    mirrored: bool,
}

impl Placement {
    /// Writes the cropped and flipped `pixels` to `out`, mapped by the table of each channel.
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

/// The part of a crop that shows the image, at `offset` into a side padded by `padding`: its range in the crop, and its
/// start in the image.
fn overlap(offset: usize, padding: usize, side: usize) -> (std::ops::Range<usize>, usize) {
    let start = padding.saturating_sub(offset);
    let first = offset.saturating_sub(padding);
    (start..side - first, first)
}
