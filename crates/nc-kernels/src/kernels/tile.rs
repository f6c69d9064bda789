//! Partition of output rows into tiles, and the epilogue of a finished tile.

use crate::element::Element;
use crate::lanes::{LANES, Lanes};

/// Pixels per tile when a row of `width` pixels is cut into equal tiles of at most `most`.
///
/// The last tile is shifted left to end at the border; the pixels it recomputes get the same values.
pub(crate) fn equal_tiles(width: usize, most: usize) -> usize {
    width.div_ceil(width.div_ceil(most))
}

/// First pixel of tile `tile` of `pixels` pixels, and the number of its pixels computed by another tile too.
#[inline(always)]
pub(crate) fn place(tile: usize, pixels: usize, width: usize) -> (usize, usize) {
    let start = (tile * pixels).min(width - pixels);
    (start, tile * pixels - start)
}

/// Sums of y - shift and of its square over the pixels of a channel block, y as it is stored.
///
/// The shift, the mean of the first tile (or the first pixel), preserves the variance's precision when the mean is large.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct BlockSums {
    pub(crate) shift: [f32; LANES],
    pub(crate) sum: [f32; LANES],
    pub(crate) square: [f32; LANES],
}

impl BlockSums {
    pub(crate) const ZERO: Self = Self { shift: [0.0; LANES], sum: [0.0; LANES], square: [0.0; LANES] };

    /// Sums of zero values, with the same shift.
    pub(crate) fn restart(&mut self) {
        (self.sum, self.square) = ([0.0; LANES], [0.0; LANES]);
    }
}

/// Epilogue of a convolution tile before it is stored; pointers refer to the tile's first block.
#[derive(Clone, Copy)]
pub(super) enum TileEnd<E = f32> {
    /// Nothing.
    Plain,
    /// Accumulates the sums, taking the shift from the first tile if `set_shift`.
    Statistics { sums: *mut BlockSums, set_shift: bool },
    /// relu?(y * scale + shift + residual); `residual` has the layout of y, or is null.
    Affine { scale: *const f32, shift: *const f32, residual: *const E, relu: bool },
}

impl<E: Copy> TileEnd<E> {
    /// The epilogue for image `image` of images of `image_len` values.
    ///
    /// # Safety
    ///
    /// The residual must hold that many images.
    pub(super) unsafe fn at_image(self, image: usize, image_len: usize) -> Self {
        match self {
            Self::Plain => self,
            Self::Statistics { sums, set_shift } => {
                Self::Statistics { sums, set_shift: set_shift && image == 0 }
            }
            Self::Affine { scale, shift, residual, relu } => {
                // SAFETY: the caller guarantees that the image exists; a null residual is unchanged.
                let residual =
                    if residual.is_null() { residual } else { unsafe { residual.add(image * image_len) } };
                Self::Affine { scale, shift, residual, relu }
            }
        }
    }

    /// The epilogue `block` blocks further on, with `block_len` values per block.
    ///
    /// # Safety
    ///
    /// That many blocks must exist.
    pub(super) unsafe fn advance(self, block: usize, block_len: usize) -> Self {
        // SAFETY: the caller guarantees that the blocks exist; a null residual is unchanged.
        unsafe {
            match self {
                Self::Plain => self,
                Self::Statistics { sums, set_shift } => Self::Statistics { sums: sums.add(block), set_shift },
                Self::Affine { scale, shift, residual, relu } => Self::Affine {
                    scale: scale.add(block * LANES),
                    shift: shift.add(block * LANES),
                    residual: if residual.is_null() { residual } else { residual.add(block * block_len) },
                    relu,
                },
            }
        }
    }
}

/// Stores a finished tile of `PX` pixels and `O` output blocks at pixel `pixel` of the image `y`, whose blocks are
/// `block_len` values apart. The statistics exclude the first `skip` pixels.
///
/// # Safety
///
/// `y` and the pointers of `end` must be valid for the tile; call only from [`Lanes::enter`].
#[inline(always)]
pub(super) unsafe fn finish<V: Lanes, E: Element, const PX: usize, const O: usize>(
    tile: &[[V; O]; PX],
    y: *mut E,
    block_len: usize,
    pixel: usize,
    skip: usize,
    end: TileEnd<E>,
) {
    // SAFETY: the caller guarantees all pointers, used for the tile's pixels and blocks only.
    unsafe {
        match end {
            TileEnd::Affine { scale, shift, residual, relu } => {
                for o in 0..O {
                    let (scale, shift) = (V::load(scale.add(o * LANES)), V::load(shift.add(o * LANES)));
                    for (p, row) in tile.iter().enumerate() {
                        let at = o * block_len + (pixel + p) * LANES;
                        let mut value = V::fma(row[o], scale, shift);
                        if !residual.is_null() {
                            value = value.add(E::load(residual.add(at)));
                        }
                        if relu {
                            value = value.positive_part();
                        }
                        E::store(value, y.add(at));
                    }
                }
                return;
            }
            TileEnd::Plain => {}
            TileEnd::Statistics { sums, set_shift } => {
                for o in 0..O {
                    let sums = sums.add(o);
                    let shift = (&raw mut (*sums).shift).cast::<f32>();
                    if set_shift && pixel == 0 {
                        let mut total = V::zero();
                        for row in tile {
                            total = total.add(row[o]);
                        }
                        let share = 1.0 / PX as f32;
                        total.mul(V::splat(&raw const share)).store(shift);
                    }
                    let shift = V::load(shift);
                    let sum_at = (&raw mut (*sums).sum).cast::<f32>();
                    let square_at = (&raw mut (*sums).square).cast::<f32>();
                    let (mut sum, mut square) = (V::load(sum_at), V::load(square_at));
                    for (p, row) in tile.iter().enumerate() {
                        if p >= skip {
                            let centred = E::round(row[o]).sub(shift);
                            sum = sum.add(centred);
                            square = V::fma(centred, centred, square);
                        }
                    }
                    sum.store(sum_at);
                    square.store(square_at);
                }
            }
        }
        for o in 0..O {
            for (p, row) in tile.iter().enumerate() {
                E::store(row[o], y.add(o * block_len + (pixel + p) * LANES));
            }
        }
    }
}
