use std::{iter, mem};

use fast_image_resize::Resizer;

use crate::{ImageShape, buffer::resize_exactly, images::Picture};

/// Bytes of a buffer kept for the next image, at most: those of a colour photograph of a third of a megapixel.
const MOST_KEPT: usize = 1 << 20;

/// An image under transformation: rows of interleaved pixels of 1 or 3 channels. Its buffers serve one image after
/// another.
#[derive(Default)]
pub(crate) struct Canvas {
    pub(super) channels: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// height * width * channels bytes.
    pub(super) pixels: Vec<u8>,
    /// The buffer of the next image.
    spare: Vec<u8>,
    resizer: Resizer,
}

/// The image before an operation, see [`Canvas::redraw`].
pub(super) struct Before<'a> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) pixels: &'a [u8],
}

impl Canvas {
    /// Loads an image stored channel by channel.
    pub(crate) fn load(&mut self, planes: &[u8], ImageShape { channels, height, width }: ImageShape) {
        (self.channels, self.height, self.width) = (channels, height, width);
        self.pixels.resize(planes.len(), 0);
        if channels == 1 {
            return self.pixels.copy_from_slice(planes);
        }
        let (red, rest) = planes.split_at(height * width);
        let (green, blue) = rest.split_at(height * width);
        let pixels = self.pixels.as_chunks_mut().0;
        for (((pixel, &red), &green), &blue) in pixels.iter_mut().zip(red).zip(green).zip(blue) {
            *pixel = [red, green, blue];
        }
    }

    /// Loads a decoded image of `channels` channels, or a grey one that becomes one of as many equal channels.
    pub(crate) fn load_picture(&mut self, picture: Picture, channels: usize) {
        let Picture { grey, height, width, bytes } = picture;
        (self.channels, self.height, self.width) = (channels, height, width);
        if grey && channels > 1 {
            self.pixels.clear();
            self.pixels.extend(bytes.iter().flat_map(|&value| iter::repeat_n(value, channels)));
        } else {
            self.pixels = bytes;
        }
    }

    /// The memory of an image no longer needed. That of large images is freed, so that the memory of many threads depends little on
    /// the largest.
    pub(crate) fn take_buffer(&mut self) -> Vec<u8> {
        for buffer in [&mut self.pixels, &mut self.spare] {
            if buffer.capacity() > MOST_KEPT {
                *buffer = vec![];
            }
        }
        mem::take(&mut self.pixels)
    }

    /// Writes the image channel by channel.
    pub(crate) fn store_bytes(&self, out: &mut [u8]) {
        if self.channels == 1 {
            return out.copy_from_slice(&self.pixels);
        }
        let (red, rest) = out.split_at_mut(self.height * self.width);
        let (green, blue) = rest.split_at_mut(self.height * self.width);
        let pixels = self.pixels.as_chunks().0;
        for (((pixel, r), g), b) in pixels.iter().zip(red).zip(green).zip(blue) {
            [*r, *g, *b] = *pixel;
        }
    }

    /// Writes the image channel by channel, mapped by the table of each channel.
    pub(crate) fn store<T: Copy>(&self, tables: &[[T; 256]], out: &mut [T]) {
        let planes = out.chunks_exact_mut(self.height * self.width);
        for (channel, (plane, table)) in planes.zip(tables).enumerate() {
            let pixels = self.pixels[channel..].iter().step_by(self.channels);
            for (value, &pixel) in plane.iter_mut().zip(pixels) {
                *value = table[usize::from(pixel)];
            }
        }
    }

    /// Replaces the image by one of `height` x `width`, which `draw` makes from the present one. The buffer it writes to
    /// holds arbitrary bytes.
    pub(super) fn redraw(
        &mut self,
        (height, width): (usize, usize),
        draw: impl FnOnce(&Before<'_>, &mut [u8], &mut Resizer),
    ) {
        resize_exactly(&mut self.spare, height * width * self.channels);
        let before = Before { height: self.height, width: self.width, pixels: &self.pixels };
        draw(&before, &mut self.spare, &mut self.resizer);
        mem::swap(&mut self.pixels, &mut self.spare);
        (self.height, self.width) = (height, width);
    }

    /// Replaces the image by its window of `height` x `width` at row `top` and column `left`, black outside the image.
    pub(super) fn crop(&mut self, (top, left): (isize, isize), (height, width): (usize, usize)) {
        let channels = self.channels;
        self.redraw((height, width), |before, out, _| {
            let columns = shown(left, width, before.width);
            let first = columns.start.saturating_add_signed(left) * channels;
            let columns = columns.start * channels..columns.end * channels;
            let rows = shown(top, height, before.height);
            for (y, row) in out.chunks_exact_mut(width * channels).enumerate() {
                row.fill(0);
                if rows.contains(&y) {
                    let source = y.saturating_add_signed(top) * before.width * channels + first;
                    row[columns.clone()].copy_from_slice(&before.pixels[source..][..columns.len()]);
                }
            }
        });
    }

    /// Flips the image left to right.
    pub(super) fn flip(&mut self) {
        let Self { channels, width, .. } = *self;
        for row in self.pixels.chunks_exact_mut(width * channels) {
            if channels == 1 {
                row.reverse();
            } else {
                row.as_chunks_mut::<3>().0.reverse();
            }
        }
    }
}

/// The part of a window of `length` at `offset` that shows an image of `side`, as a range in the window.
fn shown(offset: isize, length: usize, side: usize) -> std::ops::Range<usize> {
    let start = length.min(0usize.saturating_add_signed(-offset));
    let end = length.min(side.saturating_add_signed(-offset));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_outside_the_image_are_black() {
        let shape = ImageShape { channels: 1, height: 2, width: 3 };
        let mut canvas = Canvas::default();
        let mut cropped = |offsets, size| {
            canvas.load(&[1, 2, 3, 4, 5, 6], shape);
            canvas.crop(offsets, size);
            canvas.pixels.clone()
        };
        assert_eq!(cropped((0, 1), (2, 2)), [2, 3, 5, 6]);
        assert_eq!(cropped((-1, -1), (2, 3)), [0, 0, 0, 0, 1, 2]);
        assert_eq!(cropped((1, 2), (2, 2)), [6, 0, 0, 0]);
        for offsets in [(2, 0), (0, 3), (-2, 0), (0, -2), (-9, -9), (9, 9)] {
            assert_eq!(cropped(offsets, (2, 2)), [0; 4], "{offsets:?}");
        }
    }
}
