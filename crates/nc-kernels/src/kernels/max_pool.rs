//! Max pooling, compiled for each instruction set.

use std::ops::Range;

use crate::element::Element;
use crate::lanes::{Kernel, LANES, Lanes};

/// Windows of a pooling over images in blocks, padded with minus infinity.
#[derive(Clone, Copy)]
pub(crate) struct Windows {
    pub(crate) blocks: usize,
    /// Height and width of input and output.
    pub(crate) from: (usize, usize),
    pub(crate) to: (usize, usize),
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) padding: usize,
}

impl Windows {
    /// Rows or columns inside an image of `size` of the window at `position`.
    #[inline(always)]
    fn range(self, position: usize, size: usize) -> Range<usize> {
        let start = position * self.stride;
        start.saturating_sub(self.padding)..(start + self.kernel - self.padding).min(size)
    }
}

/// The maxima of one image and, if `chosen` is not empty, their indices in the image: of equal ones the first.
pub(super) struct Maxima<'a, E> {
    pub(super) windows: Windows,
    pub(super) image: &'a [E],
    pub(super) out: &'a mut [E],
    pub(super) chosen: &'a mut [u32],
}

impl<E: Element> Kernel for Maxima<'_, E> {
    /// The compiler vectorises the loops over the lanes.
    #[inline(always)]
    unsafe fn run<V: Lanes>(self) {
        let Self { windows, image, out, chosen } = self;
        let Windows { blocks, from, to, .. } = windows;
        let (pixels, _) = image.as_chunks::<LANES>();
        for block in 0..blocks {
            for y in 0..to.0 {
                let rows = windows.range(y, from.0);
                for x in 0..to.1 {
                    let columns = windows.range(x, from.1);
                    let mut best = [f32::NEG_INFINITY; LANES];
                    let mut place = [((block * from.0 + rows.start) * from.1 + columns.start) as u32; LANES];
                    for row in rows.clone() {
                        for column in columns.clone() {
                            let pixel = (block * from.0 + row) * from.1 + column;
                            for (lane, value) in pixels[pixel].iter().enumerate() {
                                let value = value.to_f32();
                                let better = value > best[lane] || value.is_nan();
                                best[lane] = if better { value } else { best[lane] };
                                place[lane] = if better { pixel as u32 } else { place[lane] };
                            }
                        }
                    }
                    let at = ((block * to.0 + y) * to.1 + x) * LANES;
                    out[at..at + LANES].copy_from_slice(&best.map(E::from_f32));
                    if !chosen.is_empty() {
                        for (lane, (chosen, pixel)) in
                            chosen[at..at + LANES].iter_mut().zip(place).enumerate()
                        {
                            *chosen = pixel * LANES as u32 + lane as u32;
                        }
                    }
                }
            }
        }
    }
}
