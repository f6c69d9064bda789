use std::{fmt, sync::Arc};

use candle_core::Device;

use crate::{Augment, Epoch, Error, Normalize, Result, Sampler, Subset, batch::Recipe, mix::Mixer};

/// How batches are made.
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Images in a batch; the last of an epoch has what is left.
    pub batch_size: usize,
    /// Random changes to each image; `None` for none.
    pub augment: Option<Augment>,
    /// Normalisation of each channel.
    pub normalize: Normalize,
    /// Mix-up with lambda ~ Beta(alpha, alpha), alpha from 1e-3 to 1e6; `None` for none. See [`Mix`](crate::Mix).
    pub mixup_alpha: Option<f64>,
    /// Seeds plan, augmentation and mix-up.
    pub seed: u64,
    /// Threads that prepare batches; 0 counts as 1.
    pub workers: usize,
    /// Where the batches' images are put.
    pub device: Device,
}

/// Makes the batches of each epoch. A batch depends on subset, sampler, configuration, epoch and its index alone, not
/// on the number of workers or on what was read before.
///
/// ```
/// use candle_core::Device;
/// use nc_data::{Augment, Loader, LoaderConfig, Normalize, Sampler, Subset, fashion_mnist_lt};
///
/// let source = fashion_mnist_lt()?;
/// let subset = Subset::all(&source.train);
/// let config = LoaderConfig {
///     batch_size: 128,
///     augment: Some(Augment { crop_padding: 2, flip: true }),
///     normalize: Normalize::of(&subset),
///     mixup_alpha: Some(1.0),
///     seed: 0,
///     workers: 1,
///     device: Device::Cpu,
/// };
/// let loader = Loader::new(&subset, Sampler::ClassBalanced, config)?;
/// assert_eq!(loader.batches_per_epoch(), 20); // 2478 images: 19 batches of 128, and one of 46
/// let sizes: Vec<usize> = loader.epoch(0).map(|batch| Ok(batch?.images.dim(0)?)).collect::<nc_data::Result<_>>()?;
/// assert_eq!((sizes[0], sizes[19]), (128, 46));
/// # Ok::<(), nc_data::Error>(())
/// ```
#[derive(Clone)]
pub struct Loader {
    recipe: Arc<Recipe>,
    /// `None`: each image once, in the subset's order.
    sampler: Option<Sampler>,
    workers: usize,
    device: Device,
}

impl Loader {
    /// A loader of training batches.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an empty subset or batch, a sampler, padding or alpha out of range, or a normalisation
    /// that does not fit the images.
    pub fn new(subset: &Subset, sampler: Sampler, config: LoaderConfig) -> Result<Self> {
        sampler.check()?;
        Self::build(subset, Some(sampler), config)
    }

    /// A loader for evaluation: each image once, in the subset's order. Augmentation and mix-up are left out, whatever
    /// `config` says.
    ///
    /// # Errors
    ///
    /// As [`Loader::new`].
    pub fn sequential(subset: &Subset, config: LoaderConfig) -> Result<Self> {
        Self::build(subset, None, LoaderConfig { augment: None, mixup_alpha: None, ..config })
    }

    fn build(subset: &Subset, sampler: Option<Sampler>, config: LoaderConfig) -> Result<Self> {
        let LoaderConfig { batch_size, augment, normalize, mixup_alpha, seed, workers, device } = config;
        if subset.is_empty() || batch_size == 0 {
            return Err(Error::Config(format!(
                "expected images, and at least one in a batch; found {} in batches of {batch_size}",
                subset.len()
            )));
        }
        let shape = subset.dataset().shape();
        if let Some(augment) = augment {
            augment.check(shape)?;
        }
        let recipe = Recipe {
            subset: subset.clone(),
            batch_size: batch_size.min(subset.len()),
            augment,
            tables: normalize.tables(shape.channels)?,
            mixer: mixup_alpha.map(Mixer::new).transpose()?,
            seed,
        };
        Ok(Self { recipe: Arc::new(recipe), sampler, workers, device })
    }

    /// Number of batches of an epoch, the last partial one included.
    pub fn batches_per_epoch(&self) -> usize {
        self.recipe.batches()
    }

    /// The batches of `epoch`, in order.
    pub fn epoch(&self, epoch: usize) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of `epoch` from number `first_batch` on: what [`Loader::epoch`] gives after as many have been
    /// taken, without the work of making those.
    pub fn epoch_from(&self, epoch: usize, first_batch: usize) -> Epoch {
        let plan = match self.sampler {
            Some(sampler) => sampler.checked_plan(&self.recipe.subset, self.recipe.seed, epoch),
            None => (0..self.recipe.subset.len() as u32).collect(),
        };
        Epoch::start(&self.recipe, plan, epoch, first_batch, self.workers, self.device.clone())
    }
}

/// Without the images.
impl fmt::Debug for Loader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loader")
            .field("subset", &self.recipe.subset)
            .field("sampler", &self.sampler)
            .field("batches_per_epoch", &self.batches_per_epoch())
            .finish_non_exhaustive()
    }
}
