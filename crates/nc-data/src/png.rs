use image::{ExtendedColorType, ImageEncoder, codecs::png::PngEncoder};

use crate::{
    Error, ImageShape, Interpolation, Result,
    transform::{Canvas, resize},
};

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
    check(pixels, shape)?;
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

/// [`encode_png`] of an image scaled down until no side is longer than `longest` pixels (bilinear, antialiased). Smaller
/// images keep their size.
///
/// ```
/// use nc_data::{ImageShape, encode_thumbnail};
///
/// let shape = ImageShape { channels: 1, height: 40, width: 60 };
/// let png = encode_thumbnail(&[7; 2400], shape, 30)?;
/// assert_eq!(png[16..24], [0, 0, 0, 30, 0, 0, 0, 20]); // width and height
/// # Ok::<(), nc_data::Error>(())
/// ```
///
/// # Errors
///
/// Those of [`encode_png`]; [`Error::Config`] if `longest` is 0.
pub fn encode_thumbnail(pixels: &[u8], shape: ImageShape, longest: usize) -> Result<Vec<u8>> {
    check(pixels, shape)?;
    if longest == 0 {
        return Err(Error::Config("expected a thumbnail of at least one pixel, found 0".into()));
    }
    let ImageShape { channels, height, width } = shape;
    let side = height.max(width);
    if side <= longest {
        return encode_png(pixels, shape);
    }
    let scaled = |length: usize| (length * longest / side).max(1);
    let shape = ImageShape { channels: if channels >= 3 { 3 } else { 1 }, ..shape };
    let mut canvas = Canvas::default();
    canvas.load(&pixels[..shape.values()], shape);
    let shape = ImageShape { height: scaled(height), width: scaled(width), ..shape };
    resize(&mut canvas, (shape.height, shape.width), Interpolation::Bilinear);
    let mut pixels = vec![0; shape.values()];
    canvas.store(&[std::array::from_fn(|byte| byte as u8); 3], &mut pixels);
    encode_png(&pixels, shape)
}

fn check(pixels: &[u8], shape: ImageShape) -> Result<()> {
    if pixels.len() != shape.values() || pixels.is_empty() {
        let (expected, found) = (shape.values(), pixels.len());
        return Err(Error::Config(format!("expected {expected} pixels for PNG, found {found}")));
    }
    Ok(())
}
