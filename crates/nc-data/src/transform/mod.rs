//! Transforms of 8-bit images: a list per view, validated once and applied to each image.

mod auto_augment;
mod blend;
mod blur;
mod canvas;
mod chain;
mod color_jitter;
mod crop_flip;
mod cutout;
mod equalize;
mod fit;
#[cfg(test)]
mod golden;
mod hue;
mod kind;
mod luma;
mod operation;
mod rand_augment;
mod random_resized_crop;
mod resize;
mod tone;
mod warp;

pub(crate) use canvas::Canvas;
pub(crate) use chain::Chain;
pub(crate) use fit::Fit;
pub use kind::Transform;
pub use resize::Interpolation;
pub(crate) use resize::resize;
