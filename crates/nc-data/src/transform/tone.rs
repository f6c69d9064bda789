use super::canvas::Canvas;

/// Maps each byte by `tone`.
pub(super) fn map(canvas: &mut Canvas, tone: impl Fn(u8) -> u8) {
    let table: [u8; 256] = std::array::from_fn(|byte| tone(byte as u8));
    for pixel in &mut canvas.pixels {
        *pixel = table[usize::from(*pixel)];
    }
}

/// Keeps the highest `bits` bits, from 0 to 8.
pub(super) fn posterize(byte: u8, bits: u32) -> u8 {
    byte & !(0xff_u16 >> bits) as u8
}

/// Inverts bytes from `threshold` on.
pub(super) fn solarize(byte: u8, threshold: f64) -> u8 {
    if f64::from(byte) < threshold { byte } else { !byte }
}

/// Adds `added` to bytes below 128, up to 255.
pub(super) fn solarize_add(byte: u8, added: u8) -> u8 {
    if byte < 128 { byte.saturating_add(added) } else { byte }
}
