//! Tiles of pixels and channels that fit shared memory.

/// Shared memory of a block on every GPU since compute capability 8.0, in bytes.
pub(crate) const SHARED_LIMIT: usize = 99 * 1024;

/// Pixels that a block processes together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) images: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
}

impl Tile {
    /// A tile of at most `pixels` pixels of images of `height` x `width`: whole rows where they fit, tiles of nearly equal
    /// size, and several images where they are small.
    pub(crate) fn of(pixels: usize, height: usize, width: usize) -> Self {
        let even = |size: usize, most: usize| size.div_ceil(size.div_ceil(most));
        let tile_width = even(width, 32.min(pixels));
        let tile_height = even(height, (pixels / tile_width).max(1));
        let whole = (tile_height, tile_width) == (height, width);
        let images = if whole { (pixels / (height * width)).max(1) } else { 1 };
        Self { images, height: tile_height, width: tile_width }
    }

    pub(crate) fn pixels(self) -> usize {
        self.images * self.height * self.width
    }

    /// Tiles of `images` images of `height` x `width`.
    pub(crate) fn count(self, images: usize, height: usize, width: usize) -> usize {
        images.div_ceil(self.images) * height.div_ceil(self.height) * width.div_ceil(self.width)
    }
}

/// Numbers of channels at a time that divide `channels`, the largest first.
pub(crate) fn channel_tiles(channels: usize) -> impl Iterator<Item = usize> + Clone {
    [64, 48, 32, 16].into_iter().filter(move |tile| channels.is_multiple_of(*tile))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_cover_images_of_any_size() {
        for pixels in [64, 128, 256] {
            for (height, width) in
                [(1, 1), (4, 4), (7, 7), (8, 8), (14, 14), (32, 32), (5, 33), (56, 56), (3, 300)]
            {
                let tile = Tile::of(pixels, height, width);
                assert!(tile.pixels() <= pixels, "{tile:?} of {height}x{width}");
                assert!(tile.images == 1 || (tile.height, tile.width) == (height, width));
                let covered = height.div_ceil(tile.height) * tile.height;
                assert!(covered < height + tile.height);
            }
        }
        assert_eq!(Tile::of(128, 8, 8), Tile { images: 2, height: 8, width: 8 });
        assert_eq!(Tile::of(128, 32, 32), Tile { images: 1, height: 4, width: 32 });
        assert_eq!(Tile::of(64, 56, 56), Tile { images: 1, height: 2, width: 28 });
    }
}
