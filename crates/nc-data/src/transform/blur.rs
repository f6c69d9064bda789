//! Pillow's `GaussianBlur`: three box blurs with a fractional radius, 8-bit between them.

use super::canvas::Canvas;

const PASSES: usize = 3;

/// Blurs the image by approximately a Gaussian of standard deviation `sigma` in pixels.
pub(super) fn gaussian_blur(canvas: &mut Canvas, sigma: f32) {
    let weights = Weights::of(sigma);
    let Canvas { channels, height, width, .. } = *canvas;
    let stride = width * channels;
    let mut line = Vec::with_capacity(height.max(width));
    let mut blurred = Vec::with_capacity(height.max(width));
    let mut blur = |first: usize, step: usize, length: usize| {
        line.clear();
        line.extend(canvas.pixels[first..].iter().step_by(step).take(length));
        for _ in 0..PASSES {
            blurred.clear();
            weights.blur(&line, &mut blurred);
            std::mem::swap(&mut line, &mut blurred);
        }
        for (pixel, &value) in canvas.pixels[first..].iter_mut().step_by(step).zip(&line) {
            *pixel = value;
        }
    };
    for row in 0..height {
        (0..channels).for_each(|channel| blur(row * stride + channel, channels, width));
    }
    (0..stride).for_each(|column| blur(column, stride, height));
}

/// Weights of a box blur in units of 2^-24: `inner` for pixels up to `radius` away, `outer` for the two beyond.
struct Weights {
    radius: usize,
    inner: u32,
    outer: u32,
}

impl Weights {
    /// The box blur of which [`PASSES`] passes have the variance `sigma`^2
    /// ([Gwosdek et al. 2011](https://www.mia.uni-saarland.de/Publications/gwosdek-ssvm11.pdf)), in single precision as
    /// in Pillow.
    fn of(sigma: f32) -> Self {
        let variance = sigma * sigma / PASSES as f32;
        let length = (12.0 * f64::from(variance) + 1.0).sqrt() as f32;
        let whole = ((f64::from(length) - 1.0) / 2.0).floor() as f32;
        let rest = (2.0 * whole + 1.0) * (whole * (whole + 1.0) - 3.0 * variance)
            / (6.0 * (variance - (whole + 1.0) * (whole + 1.0)));
        let radius = whole + rest;
        let inner = (16_777_216.0 / (radius * 2.0 + 1.0)) as u32;
        let radius = radius as usize;
        let outer = ((1 << 24) - (2 * radius as u32 + 1) * inner) / 2;
        Self { radius, inner, outer }
    }

    /// Appends the blurred `line` to `out`. Beyond its ends the line continues with its first and last value.
    fn blur(&self, line: &[u8], out: &mut Vec<u8>) {
        let last = line.len() - 1;
        let at = |index: usize| u32::from(line[index.saturating_sub(self.radius + 1).min(last)]);
        // The window of the pixel before the first, with indices shifted by radius + 1.
        let mut sum: u32 = (0..=2 * self.radius).map(at).sum();
        out.extend((0..line.len()).map(|x| {
            let (leaving, entering, next) = (at(x), at(x + 2 * self.radius + 1), at(x + 2 * self.radius + 2));
            sum = sum + entering - leaving;
            ((sum * self.inner + (leaving + next) * self.outer + (1 << 23)) >> 24) as u8
        }));
    }
}
