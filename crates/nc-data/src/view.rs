use candle_core::{Device, Tensor};

use crate::{Augment, Error, ImageShape, Mix, Result, Sampler, mix::Mixer};

/// One view of a batch: images and labels.
#[derive(Clone, Debug)]
pub struct View {
    /// Augmented, normalised and possibly mixed images, (B, C, H, W), `f32`.
    pub images: Tensor,
    /// Label of each image, length B.
    pub labels: Vec<u32>,
    /// Position of each image in the subset, as [`Subset::image`](crate::Subset::image) takes it, length B.
    pub positions: Vec<u32>,
    /// Mix-up partners and weight; `None` without mix-up.
    pub mix: Option<Mix>,
}

/// Configuration of one view of each batch.
///
/// ```
/// use nc_data::{Augment, Plan, Sampler, ViewConfig};
///
/// let uniform = ViewConfig::new(Plan::Sampled(Sampler::Uniform));
/// let augment = Some(Augment { crop_padding: 4, flip: true });
/// let first = ViewConfig { augment, mixup_alpha: Some(1.0), ..uniform };
/// let second = ViewConfig { augment, ..ViewConfig::new(Plan::SameAs(0)) };
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ViewConfig {
    /// Images of the view.
    pub plan: Plan,
    /// Random augmentation of each image; `None` for none.
    pub augment: Option<Augment>,
    /// Mix-up with lambda ~ Beta(alpha, alpha), alpha from 1e-3 to 1e6; `None` for none. See [`Mix`].
    pub mixup_alpha: Option<f64>,
}

impl ViewConfig {
    /// A view of the images of `plan` without augmentation or mix-up.
    pub fn new(plan: Plan) -> Self {
        Self { plan, augment: None, mixup_alpha: None }
    }
}

/// Selection of the images of a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Images drawn by a sampler. Each view draws from its own random stream.
    Sampled(Sampler),
    /// Each image once, in subset order.
    Sequential,
    /// The images of the earlier view with this index, in the same order, independently augmented and mixed.
    SameAs(usize),
}

impl ViewConfig {
    /// Validates view `index` of a loader for `epochs` epochs of images of `shape`.
    pub(crate) fn check(self, index: usize, epochs: Option<usize>, shape: ImageShape) -> Result<ViewRecipe> {
        match self.plan {
            Plan::Sampled(sampler) => sampler.check(epochs)?,
            Plan::SameAs(view) if view >= index => {
                return Err(Error::Config(format!(
                    "view {index}: expected an earlier view to repeat, found view {view}"
                )));
            }
            Plan::Sequential | Plan::SameAs(_) => (),
        }
        if let Some(augment) = self.augment {
            augment.check(shape)?;
        }
        let mixer = self.mixup_alpha.map(Mixer::new).transpose()?;
        Ok(ViewRecipe { plan: self.plan, augment: self.augment, mixer })
    }
}

/// A validated [`ViewConfig`].
pub(crate) struct ViewRecipe {
    pub(crate) plan: Plan,
    pub(crate) augment: Option<Augment>,
    pub(crate) mixer: Option<Mixer>,
}

/// A view in host memory.
#[derive(Debug)]
pub(crate) struct PreparedView {
    pub(crate) images: Vec<f32>,
    pub(crate) dims: (usize, usize, usize, usize),
    pub(crate) labels: Vec<u32>,
    pub(crate) positions: Vec<u32>,
    pub(crate) mix: Option<Mix>,
}

impl PreparedView {
    pub(crate) fn on(self, device: &Device) -> Result<View> {
        let Self { images, dims, labels, positions, mix } = self;
        Ok(View { images: Tensor::from_vec(images, dims, device)?, labels, positions, mix })
    }
}
