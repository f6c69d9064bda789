//! Brightness, contrast, saturation and sharpness as in `ImageEnhance` of Pillow: d + f (x - d) with a factor f, where
//! d is a degenerate image and x the image. Values are clamped to 0..=255 and truncated.

use super::{canvas::Canvas, luma::luma, tone::map};

fn blend(degenerate: u8, pixel: u8, factor: f32) -> u8 {
    let (d, x) = (f32::from(degenerate), f32::from(pixel));
    // Vectorised, unlike a conversion to u8.
    (d + factor * (x - d)).clamp(0.0, 255.0) as i32 as u8
}

/// The degenerate image is black.
pub(super) fn brightness(canvas: &mut Canvas, factor: f32) {
    map(canvas, |byte| blend(0, byte, factor));
}

/// The degenerate image is the rounded mean luma.
pub(super) fn contrast(canvas: &mut Canvas, factor: f32) {
    let sum: u64 = if canvas.channels == 3 {
        canvas.pixels.as_chunks().0.iter().map(|&pixel| u64::from(luma(pixel))).sum()
    } else {
        canvas.pixels.iter().map(|&pixel| u64::from(pixel)).sum()
    };
    let mean = (sum as f64 / (canvas.height * canvas.width) as f64 + 0.5) as u8;
    map(canvas, |byte| blend(mean, byte, factor));
}

/// The degenerate image is the luma of each pixel; a grey image does not change.
pub(super) fn saturation(canvas: &mut Canvas, factor: f32) {
    if canvas.channels != 3 {
        return;
    }
    canvas.redraw((canvas.height, canvas.width), |before, out, _| {
        for (out, &pixel) in out.as_chunks_mut().0.iter_mut().zip(before.pixels.as_chunks().0) {
            *out = [luma(pixel); 3];
        }
        // A loop of its own, because it vectorises.
        for (out, &pixel) in out.iter_mut().zip(before.pixels) {
            *out = blend(*out, pixel, factor);
        }
    });
}

/// The degenerate image is smoothed by (1 1 1; 1 5 1; 1 1 1) / 13, except for the pixels of the border.
pub(super) fn sharpness(canvas: &mut Canvas, factor: f32) {
    let Canvas { channels, height, width, .. } = *canvas;
    canvas.redraw((height, width), |before, out, _| {
        out.copy_from_slice(before.pixels);
        if height < 3 || width < 3 {
            return;
        }
        let stride = width * channels;
        for (y, out) in out.chunks_exact_mut(stride).enumerate().skip(1).take(height - 2) {
            let rows = &before.pixels[(y - 1) * stride..][..3 * stride];
            let (above, rows) = rows.split_at(stride);
            let (row, below) = rows.split_at(stride);
            for (index, out) in out.iter_mut().enumerate().take(stride - channels).skip(channels) {
                let [left, right] = [index - channels, index + channels];
                let at = |row: &[u8]| [left, index, right].iter().map(|&i| u16::from(row[i])).sum::<u16>();
                let sum = at(above) + at(row) + at(below) + 4 * u16::from(row[index]);
                *out = blend(((2 * sum + 13) / 26) as u8, row[index], factor);
            }
        }
    });
}
