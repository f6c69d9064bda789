//! Affine maps as in `Image.transform` of Pillow: an output pixel (x, y) shows the input at
//! (a (x + 1/2) + b (y + 1/2) + c, d (x + 1/2) + e (y + 1/2) + f), or the fill colour outside the image.

use super::{
    canvas::{Before, Canvas},
    luma::luma,
};

/// A map with its argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Warp {
    /// Rows move by this many pixels per row.
    ShearX(f64),
    /// Columns move by this many pixels per column.
    ShearY(f64),
    /// Translation by this share of the width.
    TranslateX(f64),
    /// Translation by this share of the height.
    TranslateY(f64),
    /// Rotation about the centre by this many degrees counter-clockwise.
    Rotate(f64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Filter {
    Nearest,
    Bilinear,
    Bicubic,
}

/// Applies `warp` to the image and fills the rest with `fill`, in grey images with its luma.
pub(super) fn warp(canvas: &mut Canvas, warp: Warp, filter: Filter, fill: [u8; 3]) {
    if canvas.channels == 3 {
        transform(canvas, warp, filter, fill);
    } else {
        transform(canvas, warp, filter, [luma(fill)]);
    }
}

fn transform<const C: usize>(canvas: &mut Canvas, warp: Warp, filter: Filter, fill: [u8; C]) {
    let (height, width) = (canvas.height, canvas.width);
    let map = warp.coefficients(height, width);
    canvas.redraw((height, width), |before, out, _| {
        let source = Source::<C>::new(before);
        let rows = out.as_chunks_mut().0.chunks_exact_mut(width);
        match filter {
            Filter::Nearest => source.nearest(map, fill, rows),
            Filter::Bilinear => source.filtered(map, fill, rows, Source::bilinear),
            Filter::Bicubic => source.filtered(map, fill, rows, Source::bicubic),
        }
    });
}

impl Warp {
    /// The coefficients a to f.
    fn coefficients(self, height: usize, width: usize) -> [f64; 6] {
        let (height, width) = (height as f64, width as f64);
        match self {
            Self::ShearX(by) => [1.0, by, 0.0, 0.0, 1.0, 0.0],
            Self::ShearY(by) => [1.0, 0.0, 0.0, by, 1.0, 0.0],
            Self::TranslateX(by) => [1.0, 0.0, by * width, 0.0, 1.0, 0.0],
            Self::TranslateY(by) => [1.0, 0.0, 0.0, 0.0, 1.0, by * height],
            Self::Rotate(degrees) => {
                let (sin, cos) = degrees.to_radians().sin_cos();
                let [sin, cos] = [sin, cos].map(rounded);
                let (x, y) = (width / 2.0, height / 2.0);
                [cos, -sin, cos * -x - sin * -y + x, sin, cos, sin * -x + cos * -y + y]
            }
        }
    }
}

/// `value` rounded to 15 decimal digits, as in Pillow.
fn rounded(value: f64) -> f64 {
    format!("{value:.15}").parse().unwrap_or(value)
}

/// The image before a map.
struct Source<'a, const C: usize> {
    pixels: &'a [[u8; C]],
    height: usize,
    width: usize,
}

impl<'a, const C: usize> Source<'a, C> {
    fn new(before: &Before<'a>) -> Self {
        Self { pixels: before.pixels.as_chunks().0, height: before.height, width: before.width }
    }

    /// The pixel at integer coordinates; `None` outside the image.
    fn at(&self, x: i64, y: i64) -> Option<[u8; C]> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        (x < self.width && y < self.height).then(|| self.pixels[y * self.width + x])
    }

    /// Nearest neighbour: exact for translations, else in 16.16 fixed point.
    fn nearest<'o>(
        &self,
        [a, b, c, d, e, f]: [f64; 6],
        fill: [u8; C],
        rows: impl Iterator<Item = &'o mut [[u8; C]]>,
    ) {
        if b == 0.0 && d == 0.0 {
            let floor = |value: f64| value.floor() as i64;
            let mut y = f + e * 0.5;
            for row in rows {
                let mut x = c + a * 0.5;
                for out in row {
                    *out = self.at(floor(x), floor(y)).unwrap_or(fill);
                    x += a;
                }
                y += e;
            }
            return;
        }
        let fixed = |value: f64| (value * 65536.0 + 0.5).floor() as i64;
        let (mut first_x, mut first_y) = (fixed(c + a * 0.5 + b * 0.5), fixed(f + d * 0.5 + e * 0.5));
        let [a, b, d, e] = [a, b, d, e].map(fixed);
        for row in rows {
            let (mut x, mut y) = (first_x, first_y);
            for out in row {
                *out = self.at(x >> 16, y >> 16).unwrap_or(fill);
                (x, y) = (x + a, y + d);
            }
            (first_x, first_y) = (first_x + b, first_y + e);
        }
    }

    /// Interpolates by `filter`, which takes coordinates relative to the centre of the first pixel.
    fn filtered<'o>(
        &self,
        [a, b, c, d, e, f]: [f64; 6],
        fill: [u8; C],
        rows: impl Iterator<Item = &'o mut [[u8; C]]>,
        filter: impl Fn(&Self, f64, f64) -> [u8; C],
    ) {
        let (height, width) = (self.height as f64, self.width as f64);
        for (row, v) in rows.zip(0..) {
            let v = f64::from(v) + 0.5;
            for (out, u) in row.iter_mut().zip(0..) {
                let u = f64::from(u) + 0.5;
                let (x, y) = (a * u + b * v + c, d * u + e * v + f);
                let inside = (0.0..width).contains(&x) && (0.0..height).contains(&y);
                *out = if inside { filter(self, x - 0.5, y - 0.5) } else { fill };
            }
        }
    }

    fn bilinear(&self, x: f64, y: f64) -> [u8; C] {
        let ([left, right], dx) = neighbours(x, 0, self.width);
        let ([top, bottom], dy) = neighbours(y, 0, self.height);
        let linear = |a: f64, b: f64, d: f64| a + (b - a) * d;
        let row = |row: usize, channel: usize| {
            let at = |column: usize| f64::from(self.pixels[row * self.width + column][channel]);
            linear(at(left), at(right), dx)
        };
        std::array::from_fn(|channel| linear(row(top, channel), row(bottom, channel), dy) as u8)
    }

    /// Keys' cubic with a = -1.
    fn bicubic(&self, x: f64, y: f64) -> [u8; C] {
        let (columns, dx) = neighbours::<4>(x, 1, self.width);
        let (rows, dy) = neighbours::<4>(y, 1, self.height);
        let row = |row: usize, channel: usize| {
            let at = |column: usize| f64::from(self.pixels[row * self.width + column][channel]);
            if dx == 0.0 { at(columns[1]) } else { cubic(columns.map(at), dx) }
        };
        std::array::from_fn(|channel| {
            let row = |y| row(y, channel);
            // A shear moves along one axis, so the other needs no interpolation.
            let value = if dy == 0.0 { row(rows[1]) } else { cubic(rows.map(row), dy) };
            value as u8
        })
    }
}

/// The `N` indices from floor(`position`) - `before` on, clamped to `side`, and the fraction of `position`.
fn neighbours<const N: usize>(position: f64, before: i64, side: usize) -> ([usize; N], f64) {
    let whole = position.floor();
    let first = whole as i64 - before;
    let index = |offset: usize| (first + offset as i64).clamp(0, side as i64 - 1) as usize;
    (std::array::from_fn(index), position - whole)
}

fn cubic([p, q, r, s]: [f64; 4], d: f64) -> f64 {
    q + d * (-p + r + d * (2.0 * (p - q) + r - s + d * (-p + q - r + s)))
}
