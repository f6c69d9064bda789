use candle_core::{Device, Tensor};

use crate::{
    Error, ImageShape, Mix, Result, Sampler, Transform,
    mix::Mixer,
    transform::{Chain, Fit},
};

/// One view of a batch: images and labels.
#[derive(Clone, Debug)]
pub struct View {
    /// Transformed, normalised and possibly mixed images, (B, C, H, W), `f32`.
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
/// use nc_data::{Plan, Sampler, Transform, ViewConfig};
///
/// let uniform = ViewConfig::new(Plan::Sampled(Sampler::Uniform));
/// let transforms = vec![Transform::Crop { padding: 4 }, Transform::Flip];
/// let first = ViewConfig { transforms: transforms.clone(), mixup_alpha: Some(1.0), ..uniform };
/// let second = ViewConfig { transforms, ..ViewConfig::new(Plan::SameAs(0)) };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ViewConfig {
    /// Images of the view.
    pub plan: Plan,
    /// Transforms of each image, in order. They set the size of the view's images.
    pub transforms: Vec<Transform>,
    /// Mix-up with lambda ~ Beta(alpha, alpha), alpha from 1e-3 to 1e6; `None` for none. See [`Mix`].
    pub mixup_alpha: Option<f64>,
}

impl ViewConfig {
    /// A view of the images of `plan` without transforms or mix-up.
    pub fn new(plan: Plan) -> Self {
        Self { plan, transforms: Vec::new(), mixup_alpha: None }
    }
}

/// Selection of the images of a view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Plan {
    /// Images drawn by a sampler. Each view draws from its own random stream.
    Sampled(Sampler),
    /// Each image once, in subset order.
    Sequential,
    /// The images of the earlier view with this index, in the same order, independently transformed and mixed.
    SameAs(usize),
}

impl ViewConfig {
    /// The shape that images of `shape` have after the transforms.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for transforms that do not fit the images or each other, or parameters out of range.
    pub fn image_shape(&self, shape: ImageShape) -> Result<ImageShape> {
        Ok(Chain::new(&Fit::Cover, &self.transforms, shape)?.output())
    }

    /// Validates view `index` of a loader for `epochs` epochs of images of `shape`, which streamed ones get by `fit`.
    pub(crate) fn check(
        &self,
        index: usize,
        epochs: Option<usize>,
        fit: &Fit,
        shape: ImageShape,
    ) -> Result<ViewRecipe> {
        match self.plan {
            Plan::Sampled(sampler) => sampler.check(epochs)?,
            Plan::SameAs(view) if view >= index => {
                return Err(Error::Config(format!(
                    "view {index}: expected an earlier view to repeat, found view {view}"
                )));
            }
            Plan::Sequential | Plan::SameAs(_) => (),
        }
        let chain = Chain::new(fit, &self.transforms, shape)?;
        let mixer = self.mixup_alpha.map(Mixer::new).transpose()?;
        Ok(ViewRecipe { plan: self.plan, chain, mixer })
    }
}

/// A validated [`ViewConfig`].
pub(crate) struct ViewRecipe {
    pub(crate) plan: Plan,
    pub(crate) chain: Chain,
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
