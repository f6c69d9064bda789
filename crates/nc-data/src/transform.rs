//! From pixels to the numbers a network sees.

use rand::Rng;

use crate::{Error, ImageShape, Result, Subset};

/// Random changes to a training image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Zero pixels added on each side, before normalisation, and cropped away again at a random place; 0 for none.
    pub crop_padding: usize,
    /// Mirror every other image, left to right.
    pub flip: bool,
}

/// One draw of an [`Augment`]: how far the crop is moved, and whether it is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placement {
    /// Rows and columns by which the image is shifted: from -padding to padding, evenly.
    down: isize,
    right: isize,
    mirrored: bool,
}

impl Placement {
    pub(crate) const NONE: Self = Self { down: 0, right: 0, mirrored: false };
}

impl Augment {
    pub(crate) fn draw(self, rng: &mut impl Rng) -> Placement {
        let mut offset = || rng.random_range(0..=2 * self.crop_padding) as isize - self.crop_padding as isize;
        let (down, right) = (offset(), offset());
        Placement { down, right, mirrored: self.flip && rng.random() }
    }
}

/// (pixel / 255 - mean) / std, for each channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Normalize {
    /// Mean of each channel, in units of pixel / 255.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel.
    pub std: Vec<f32>,
}

impl Normalize {
    /// Mean and population standard deviation of each channel over all pixels of `subset`. A channel of one value has
    /// standard deviation 1, so that it becomes 0.
    pub fn of(subset: &Subset) -> Self {
        let ImageShape { channels, height, width } = subset.dataset().shape();
        // Exact: sums of bytes and of their squares stay far below 2^64.
        let (mut sums, mut squares) = (vec![0u64; channels], vec![0u64; channels]);
        for position in 0..subset.len() {
            for (channel, pixels) in subset.image(position).chunks_exact(height * width).enumerate() {
                for &pixel in pixels {
                    sums[channel] += u64::from(pixel);
                    squares[channel] += u64::from(pixel) * u64::from(pixel);
                }
            }
        }
        let count = (subset.len().max(1) * height * width) as f64;
        let mean: Vec<f64> = sums.iter().map(|&sum| sum as f64 / count).collect();
        let std = mean.iter().zip(&squares).map(|(mean, &square)| {
            let variance = square as f64 / count - mean * mean;
            if variance > 0.0 { (variance.sqrt() / 255.0) as f32 } else { 1.0 }
        });
        Self { std: std.collect(), mean: mean.iter().map(|mean| (mean / 255.0) as f32).collect() }
    }

    /// What each byte becomes, for each channel.
    pub(crate) fn tables(&self, channels: usize) -> Result<Vec<[f32; 256]>> {
        if self.mean.len() != channels || self.std.len() != channels {
            let message = format!(
                "{} means and {} standard deviations were given for images of {channels} channels",
                self.mean.len(),
                self.std.len()
            );
            return Err(Error::Config(message));
        }
        if self.std.iter().any(|&std| std.is_nan() || std <= 0.0) {
            return Err(Error::Config(format!("standard deviations should be above 0, not {:?}", self.std)));
        }
        let table =
            |(mean, std): (&f32, &f32)| std::array::from_fn(|byte| (byte as f32 / 255.0 - mean) / std);
        Ok(self.mean.iter().zip(&self.std).map(table).collect())
    }
}

/// Writes the image `pixels`, moved and mirrored as `placement` says, through the channels' tables to `out`.
pub(crate) fn write_image(
    pixels: &[u8],
    shape: ImageShape,
    placement: Placement,
    tables: &[[f32; 256]],
    out: &mut [f32],
) {
    let ImageShape { height, width, .. } = shape;
    let Placement { down, right, mirrored } = placement;
    // Columns x of the crop that lie inside the image: 0 <= x - right < width.
    let inside =
        right.clamp(0, width as isize) as usize..(width as isize + right).clamp(0, width as isize) as usize;
    let planes = pixels.chunks_exact(height * width).zip(out.chunks_exact_mut(height * width));
    for ((plane, out), table) in planes.zip(tables) {
        for (y, row) in out.chunks_exact_mut(width).enumerate() {
            row.fill(table[0]);
            let source = y as isize - down;
            if (0..height as isize).contains(&source) && !inside.is_empty() {
                let source = &plane[source as usize * width..][..width];
                let first = (inside.start as isize - right) as usize;
                for (value, &pixel) in row[inside.clone()].iter_mut().zip(&source[first..]) {
                    *value = table[usize::from(pixel)];
                }
            }
            if mirrored {
                row.reverse();
            }
        }
    }
}
