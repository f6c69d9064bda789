use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::canvas::{Before, Canvas};

/// Interpolation of a resized image, antialiased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize, schemars::JsonSchema))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum Interpolation {
    /// Triangle filter; at most one level from Pillow.
    #[default]
    Bilinear,
    /// Cubic filter with a = -0.5; at most two levels from Pillow.
    Bicubic,
}

/// Resizes the image.
pub(crate) fn resize(canvas: &mut Canvas, (height, width): (usize, usize), interpolation: Interpolation) {
    let filter = match interpolation {
        Interpolation::Bilinear => FilterType::Bilinear,
        Interpolation::Bicubic => FilterType::CatmullRom,
    };
    let kind = if canvas.channels == 3 { PixelType::U8x3 } else { PixelType::U8 };
    canvas.redraw((height, width), |before, out, resizer| {
        resize_pixels(before, out, (height, width), (kind, filter), resizer)
            .expect("buffers fit their sizes");
    });
}

fn resize_pixels(
    before: &Before<'_>,
    out: &mut [u8],
    (height, width): (usize, usize),
    (kind, filter): (PixelType, FilterType),
    resizer: &mut Resizer,
) -> Result<(), Box<dyn std::error::Error>> {
    let from = ImageRef::new(before.width as u32, before.height as u32, before.pixels, kind)?;
    let mut to = Image::from_slice_u8(width as u32, height as u32, out, kind)?;
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter));
    Ok(resizer.resize(&from, &mut to, &options)?)
}

/// The size whose shorter side is `size`; the other side is rounded down.
pub(super) fn shorter_side((height, width): (usize, usize), size: usize) -> (usize, usize) {
    let shorter = height.min(width);
    (size * height / shorter, size * width / shorter)
}

/// The offset of a central window of `length` in `side` pixels: half to even if it fits, else the padding before is
/// rounded down (torchvision).
pub(super) fn central_offset(side: usize, length: usize) -> isize {
    if side < length {
        -(((length - side) / 2) as isize)
    } else {
        ((side - length) as f64 / 2.0).round_ties_even() as isize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From torchvision 0.29.2.
    #[test]
    fn sizes_and_offsets_match_torchvision() {
        for (from, to) in [
            ((375, 500), (256, 341)),
            ((500, 375), (341, 256)),
            ((333, 500), (256, 384)),
            ((256, 256), (256, 256)),
            ((100, 1000), (256, 2560)),
            ((500, 334), (383, 256)),
        ] {
            assert_eq!(shorter_side(from, 256), to);
        }
        let offsets = [(341, 58), (256, 16), (227, 2), (225, 0), (224, 0), (223, 0), (221, -1), (220, -2)];
        for (side, offset) in offsets {
            assert_eq!(central_offset(side, 224), offset, "{side}");
        }
    }
}
