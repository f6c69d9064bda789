use super::{
    blend::{brightness, contrast, saturation, sharpness},
    canvas::Canvas,
    equalize::{auto_contrast, equalize},
    hue::shift_hue,
    tone::{map, posterize, solarize, solarize_add},
    warp::{Filter, Warp, warp},
};

/// An operation with its arguments, without anything random.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    AutoContrast,
    Equalize,
    Invert,
    Posterize { bits: u32 },
    Solarize { threshold: f64 },
    SolarizeAdd(u8),
    Brightness(f64),
    Contrast(f64),
    Saturation(f64),
    Sharpness(f64),
    Hue(f64),
    Warp(Warp, Filter),
}

impl Operation {
    /// Applies the operation to the image. A warp fills the rest of the image with `fill`.
    pub(super) fn apply(self, canvas: &mut Canvas, fill: [u8; 3]) {
        match self {
            Self::AutoContrast => auto_contrast(canvas),
            Self::Equalize => equalize(canvas),
            Self::Invert => map(canvas, |byte| !byte),
            Self::Posterize { bits } => map(canvas, |byte| posterize(byte, bits)),
            Self::Solarize { threshold } => map(canvas, |byte| solarize(byte, threshold)),
            Self::SolarizeAdd(added) => map(canvas, |byte| solarize_add(byte, added)),
            Self::Brightness(factor) => brightness(canvas, factor as f32),
            Self::Contrast(factor) => contrast(canvas, factor as f32),
            Self::Saturation(factor) => saturation(canvas, factor as f32),
            Self::Sharpness(factor) => sharpness(canvas, factor as f32),
            Self::Hue(share) => shift_hue(canvas, share),
            Self::Warp(by, filter) => warp(canvas, by, filter, fill),
        }
    }
}
