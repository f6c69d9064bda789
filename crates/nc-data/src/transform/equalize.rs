use super::canvas::Canvas;

/// Stretches each channel linearly to 0..=255, as `ImageOps.autocontrast` of Pillow.
pub(super) fn auto_contrast(canvas: &mut Canvas) {
    map_channels(canvas, |histogram| {
        let lowest = histogram.iter().position(|&count| count > 0)?;
        let highest = histogram.iter().rposition(|&count| count > 0)?;
        if lowest == highest {
            return None;
        }
        let scale = 255.0 / (highest - lowest) as f64;
        let offset = -(lowest as f64) * scale;
        Some(std::array::from_fn(|byte| (byte as f64 * scale + offset) as u8))
    });
}

/// Equalises the histogram of each channel, as `ImageOps.equalize` of Pillow.
pub(super) fn equalize(canvas: &mut Canvas) {
    map_channels(canvas, |histogram| {
        let highest = histogram.iter().rposition(|&count| count > 0)?;
        let total: u32 = histogram.iter().sum();
        let step = (total - histogram[highest]) / 255;
        let mut below = step / 2;
        (step > 0).then(|| {
            histogram.map(|count| {
                let level = (below / step).min(255) as u8;
                below += count;
                level
            })
        })
    });
}

/// Maps each channel by the table that `table` makes from its histogram; `None` leaves the channel unchanged.
fn map_channels(canvas: &mut Canvas, table: impl Fn(&[u32; 256]) -> Option<[u8; 256]>) {
    let channels = canvas.channels;
    for channel in 0..channels {
        let mut histogram = [0; 256];
        for &pixel in canvas.pixels[channel..].iter().step_by(channels) {
            histogram[usize::from(pixel)] += 1;
        }
        if let Some(table) = table(&histogram) {
            for pixel in canvas.pixels[channel..].iter_mut().step_by(channels) {
                *pixel = table[usize::from(*pixel)];
            }
        }
    }
}
