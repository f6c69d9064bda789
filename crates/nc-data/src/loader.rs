use std::{fmt, ops::Range, sync::Arc};

use candle_core::Device;

use crate::{
    Epoch, Error, ImageShape, Normalize, Plan, Result, Sample, Subset, ViewConfig, batch::Recipe,
    rng::MOST_VIEWS, streamed::Streamed, transform::Fit,
};

/// Configuration of a [`Loader`].
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// The views of a batch: one for most methods. View 0 does not depend on later views.
    pub views: Vec<ViewConfig>,
    /// Number of training epochs E. Required by [`Sampler::Progressive`](crate::Sampler::Progressive), ignored by all
    /// other samplers.
    pub epochs: Option<usize>,
    /// Images per view of a batch. The last batch of an epoch may be smaller; training skips it if it has fewer than
    /// [`Loader::SMALLEST_LAST_BATCH`] images.
    pub batch_size: usize,
    /// Per-channel normalisation.
    pub normalize: Normalize,
    /// Seed of sampling, transforms and mix-up.
    pub seed: u64,
    /// Number of worker threads; 0 counts as 1.
    pub workers: usize,
    /// Device of the image tensors.
    pub device: Device,
}

/// Produces the batches of each epoch. A batch depends only on subset, configuration, epoch and batch index, not on the
/// number of workers or earlier reads. Of streamed images, at most three batches are in memory, as bytes, and one as `f32`.
///
/// ```
/// use candle_core::Device;
/// use nc_data::{Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, Transform, ViewConfig, fashion_mnist_lt};
///
/// let source = fashion_mnist_lt()?;
/// let subset = Subset::all(&source.train);
/// let view = ViewConfig {
///     plan: Plan::Sampled(Sampler::ClassBalanced),
///     transforms: vec![Transform::Crop { padding: 2 }, Transform::Flip],
///     mixup_alpha: Some(1.0),
/// };
/// let config = LoaderConfig {
///     views: vec![view.clone()],
///     epochs: None,
///     batch_size: 128,
///     normalize: Normalize::of(&subset),
///     seed: 0,
///     workers: 1,
///     device: Device::Cpu,
/// };
/// let loader = Loader::new(&subset, config.clone())?;
/// assert_eq!(loader.batches_per_epoch(), 20); // 2478 images: 19 batches of 128, and one of 46
/// let sizes: Vec<usize> =
///     loader.epoch(0).map(|batch| Ok(batch?.first().images.dim(0)?)).collect::<nc_data::Result<_>>()?;
/// assert_eq!((sizes[0], sizes[19]), (128, 46));
///
/// // The same images twice in each batch, independently transformed.
/// let again = ViewConfig { plan: Plan::SameAs(0), ..view.clone() };
/// let loader = Loader::new(&subset, LoaderConfig { views: vec![view, again], ..config })?;
/// for batch in loader.epoch(0) {
///     let [first, second] = &batch?.views[..] else { unreachable!() };
///     assert_eq!(first.positions, second.positions);
/// }
/// # Ok::<(), nc_data::Error>(())
/// ```
#[derive(Clone)]
pub struct Loader {
    recipe: Arc<Recipe>,
    workers: usize,
    device: Device,
}

impl Loader {
    /// Minimum size of an incomplete last batch: training skips a smaller one, unless it is the only batch of the
    /// epoch. Statistics of one or two images are degenerate: normalised over one image a feature is 0, over two it is
    /// 1 or -1. Each epoch skips different images.
    pub const SMALLEST_LAST_BATCH: usize = 3;

    /// A loader for training.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an empty subset, batch size 0, no views, a view that repeats itself or a later one, a
    /// sampler, transform or alpha out of range, progressive sampling without `epochs`, or a normalisation that does not
    /// match the images.
    pub fn new(subset: &Subset, config: LoaderConfig) -> Result<Self> {
        let streamed = subset.dataset().stream();
        let streamed =
            streamed.map(|stream| Streamed { stream: stream.clone(), fit: stream.training.clone() });
        Self::with(subset, config, streamed, Self::SMALLEST_LAST_BATCH)
    }

    fn with(
        subset: &Subset,
        config: LoaderConfig,
        streamed: Option<Streamed>,
        smallest_batch: usize,
    ) -> Result<Self> {
        let LoaderConfig { views, epochs, batch_size, normalize, seed, workers, device } = config;
        if subset.is_empty() || batch_size == 0 {
            return Err(Error::Config(format!(
                "expected at least one image and a batch size of at least 1, found {} and {batch_size}",
                subset.len()
            )));
        }
        if !(1..=MOST_VIEWS).contains(&views.len()) {
            let found = views.len();
            return Err(Error::Config(format!(
                "expected from 1 to {MOST_VIEWS} views per batch, found {found}"
            )));
        }
        let shape = subset.dataset().shape();
        let fit = streamed.as_ref().map_or(&Fit::Cover, |streamed| &streamed.fit);
        let views = views.into_iter().enumerate().map(|(index, view)| view.check(index, epochs, fit, shape));
        let recipe = Recipe {
            subset: subset.clone(),
            batch_size: batch_size.min(subset.len()),
            smallest_batch,
            views: views.collect::<Result<_>>()?,
            epochs,
            tables: normalize.tables(shape.channels)?,
            seed,
            streamed,
        };
        Ok(Self { recipe: Arc::new(recipe), workers, device })
    }

    /// A loader for evaluation: one view of each image in subset order, without transforms or mix-up. Ignores
    /// `config.views` and `config.epochs`.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an empty subset, batch size 0, or a normalisation that does not match the images.
    pub fn sequential(subset: &Subset, config: LoaderConfig) -> Result<Self> {
        let views = vec![ViewConfig::new(Plan::Sequential)];
        let streamed = subset.dataset().stream();
        let streamed =
            streamed.map(|stream| Streamed { stream: stream.clone(), fit: stream.evaluation.clone() });
        Self::with(subset, LoaderConfig { views, ..config }, streamed, 1)
    }

    /// The shape of the images of view `view`, after its transforms.
    ///
    /// # Panics
    ///
    /// If there is no such view.
    pub fn image_shape(&self, view: usize) -> ImageShape {
        self.recipe.views[view].chain.output()
    }

    /// Number of batches per epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.recipe.batches()
    }

    /// The batches of `epoch`, in order.
    pub fn epoch(&self, epoch: usize) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of `epoch` from index `first_batch` on: the rest of [`Loader::epoch`] without preparing the batches
    /// before.
    pub fn epoch_from(&self, epoch: usize, first_batch: usize) -> Epoch {
        let plans = self.recipe.plans(epoch);
        Epoch::start(&self.recipe, plans, epoch, first_batch, self.workers, self.device.clone())
    }

    #[cfg(test)]
    pub(crate) fn ring(&self, epoch: usize, workers: usize) -> crate::ring::Ring {
        crate::ring::Ring::start(&self.recipe, self.recipe.plans(epoch), epoch, 0, workers)
    }

    /// The images at `places` in the order of `epoch` as view `view` shows them to the network, but before
    /// normalisation and mix-up: for a look at the effect of transforms. Batch b starts at place b * `batch_size`.
    ///
    /// ```
    /// # use candle_core::Device;
    /// # use nc_data::{
    /// #     Interpolation, Loader, LoaderConfig, Normalize, Plan, Sampler, Subset, Transform, ViewConfig, fashion_mnist_lt,
    /// # };
    /// # let subset = Subset::all(&fashion_mnist_lt()?.train);
    /// let view = ViewConfig {
    ///     transforms: vec![
    ///         Transform::RandomResizedCrop { size: Some(20), smallest_area: 0.2, interpolation: Interpolation::Bilinear },
    ///         Transform::Flip,
    ///     ],
    ///     ..ViewConfig::new(Plan::Sampled(Sampler::Uniform))
    /// };
    /// # let config = LoaderConfig {
    /// #     views: vec![view],
    /// #     epochs: None,
    /// #     batch_size: 128,
    /// #     normalize: Normalize::of(&subset),
    /// #     seed: 0,
    /// #     workers: 1,
    /// #     device: Device::Cpu,
    /// # };
    /// let loader = Loader::new(&subset, config)?;
    /// for sample in loader.samples(0, 3, 0..8)? {
    ///     assert_eq!(sample.pixels.len(), loader.image_shape(0).values()); // 1x20x20
    ///     let _label = subset.labels()[sample.position as usize];
    /// }
    /// # Ok::<(), nc_data::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Read`] and [`Error::Malformed`] for a file of a streamed image.
    ///
    /// # Panics
    ///
    /// If there is no such view or place.
    pub fn samples(&self, view: usize, epoch: usize, places: Range<usize>) -> Result<Vec<Sample>> {
        self.recipe.samples(view, epoch, places)
    }

    /// Position in the subset of each image of view `view` in the order of `epoch`.
    ///
    /// # Panics
    ///
    /// If there is no such view.
    pub fn positions(&self, view: usize, epoch: usize) -> Vec<u32> {
        self.recipe.plans(epoch)[view].to_vec()
    }
}

/// Omits the images.
impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("subset", &self.recipe.subset)
            .field("views", &self.recipe.views.iter().map(|view| view.plan).collect::<Vec<_>>())
            .field("batches_per_epoch", &self.batches_per_epoch())
            .finish_non_exhaustive()
    }
}
