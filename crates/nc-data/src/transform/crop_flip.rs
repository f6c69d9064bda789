use rand::Rng;

use crate::ImageShape;

/// Random crop and flip, drawn together from [`Purpose::Augment`](crate::rng::Purpose::Augment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct CropFlip {
    /// Padding P of the crop; offsets are uniform in 0..=2P. 0 for no crop.
    pub(super) padding: usize,
    /// Flip left to right with probability 1/2.
    pub(super) flip: bool,
}

impl CropFlip {
    pub(super) fn draw(self, rng: &mut impl Rng) -> Placement {
        let mut offset = || rng.random_range(0..=2 * self.padding);
        let (top, left) = (offset(), offset());
        Placement { padding: self.padding, top, left, mirrored: self.flip && rng.random() }
    }
}

/// One draw of a [`CropFlip`]: offset of the crop in the padded image, and whether it is flipped.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Placement {
    padding: usize,
    top: usize,
    left: usize,
    pub(super) mirrored: bool,
}

impl Placement {
    /// Row and column of the image at which the crop starts.
    pub(super) fn origin(self) -> (isize, isize) {
        let start = |offset: usize| offset as isize - self.padding as isize;
        (start(self.top), start(self.left))
    }

    /// Writes the cropped and flipped `pixels` to `out`, mapped by the table of each channel.
    pub(super) fn write<T: Copy>(self, pixels: &[u8], shape: ImageShape, tables: &[[T; 256]], out: &mut [T]) {
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
