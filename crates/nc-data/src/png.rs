use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::{Error, ImageShape, Result};

/// Encodes `pixels` (C, H, W) as PNG: the first three channels as colours, or the first as grey.
///
/// ```
/// use nc_data::{ImageShape, encode_png};
///
/// let shape = ImageShape { channels: 1, height: 2, width: 3 };
/// assert_eq!(encode_png(&[0, 50, 100, 150, 200, 250], shape)?[..4], *b"\x89PNG");
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// [`Error::Config`] if the number of pixels is not that of `shape`, or 0.
pub fn encode_png(pixels: &[u8], shape: ImageShape) -> Result<Vec<u8>> {
    let ImageShape { channels, height, width } = shape;
    if pixels.len() != shape.values() || pixels.is_empty() {
        let (expected, found) = (shape.values(), pixels.len());
        return Err(Error::Config(format!("expected {expected} pixels for PNG, found {found}")));
    }
    let plane = height * width;
    let (kept, kind) = if channels >= 3 { (3, ExtendedColorType::Rgb8) } else { (1, ExtendedColorType::L8) };
    let rows: Vec<u8> =
        (0..plane).flat_map(|at| (0..kept).map(move |channel| pixels[channel * plane + at])).collect();
    let mut png = vec![];
    PngEncoder::new(&mut png)
        .write_image(&rows, width as u32, height as u32, kind)
        .map_err(|error| Error::Config(format!("cannot encode an image as PNG: {error}")))?;
    Ok(png)
}
