use candle_core::{Device, Tensor};

use crate::{Augment, Error, ImageShape, Mix, Result, Sampler, mix::Mixer};

/// Images of a batch with their labels.
#[derive(Clone, Debug)]
pub struct View {
    /// Augmented, normalised and perhaps mixed: (B, C, H, W) of `f32`.
    pub images: Tensor,
    /// The label of each image: B of them.
    pub labels: Vec<u32>,
    /// The position of each image in the subset, as [`Subset::image`](crate::Subset::image) takes it: B of them.
    pub positions: Vec<u32>,
    /// Partners and share of mix-up; `None` without mix-up.
    pub mix: Option<Mix>,
}

/// How a view of each batch is made.
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
    /// Which images it shows.
    pub plan: Plan,
    /// Random changes to each image; `None` for none.
    pub augment: Option<Augment>,
    /// Mix-up with lambda ~ Beta(alpha, alpha), alpha from 1e-3 to 1e6; `None` for none. See [`Mix`].
    pub mixup_alpha: Option<f64>,
}

impl ViewConfig {
    /// The images of `plan`, without augmentation and mix-up.
    pub fn new(plan: Plan) -> Self {
        Self { plan, augment: None, mixup_alpha: None }
    }
}

/// Which images a view shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Images drawn by a sampler. Each view draws from its own random stream.
    Sampled(Sampler),
    /// Each image once, in the subset's order.
    Sequential,
    /// The images of the earlier view of this index, in the same order, with augmentation and mix-up drawn separately.
    SameAs(usize),
}

impl ViewConfig {
    /// Checks view `index` of a loader of `epochs` epochs and images of `shape`.
    pub(crate) fn check(self, index: usize, epochs: Option<usize>, shape: ImageShape) -> Result<ViewRecipe> {
        match self.plan {
            Plan::Sampled(sampler) => sampler.check(epochs)?,
            Plan::SameAs(view) if view >= index => {
                return Err(Error::Config(format!(
                    "view {index} should repeat the images of an earlier view, found view {view}"
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

/// A [`ViewConfig`] that was checked.
pub(crate) struct ViewRecipe {
    pub(crate) plan: Plan,
    pub(crate) augment: Option<Augment>,
    pub(crate) mixer: Option<Mixer>,
}

/// A view on the host.
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
