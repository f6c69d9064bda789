use super::canvas::Canvas;

/// Luma of a pixel as in Pillow: 0.299 R + 0.587 G + 0.114 B, in 16-bit fixed point.
pub(super) fn luma([red, green, blue]: [u8; 3]) -> u8 {
    ((19595 * u32::from(red) + 38470 * u32::from(green) + 7471 * u32::from(blue) + 0x8000) >> 16) as u8
}

/// Replaces each pixel by its luma, in all channels.
pub(super) fn grey(canvas: &mut Canvas) {
    if canvas.channels == 3 {
        for pixel in canvas.pixels.as_chunks_mut().0 {
            *pixel = [luma(*pixel); 3];
        }
    }
}
