//! Batches, prepared ahead by threads of their own.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use candle_core::{Device, Tensor};
use rand::seq::SliceRandom;
use rand_distr::{Beta, Distribution};

use crate::{
    Augment, Error, Normalize, Result, Sampler, Subset,
    rng::{Purpose, stream},
    transform::{Placement, write_image},
};

/// Images with their labels.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Augmented, normalised and perhaps mixed, (B, C, H, W) of `f32`.
    pub images: Tensor,
    /// The label of each image.
    pub labels: Vec<u32>,
    /// What was mixed into the images.
    pub mix: Option<Mix>,
}

/// Mix-up (Zhang et al. 2018): image i is lambda x_i + (1 - lambda) x_j, where j is its partner in the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Mix {
    /// The share of the image itself, one for the batch.
    pub lambda: f64,
    /// The label of each image's partner.
    pub partner: Vec<u32>,
}

/// How batches are made.
#[derive(Clone, Debug)]
pub struct LoaderConfig {
    /// Images in a batch; the last of an epoch has what is left.
    pub batch_size: usize,
    /// Random changes to each image; `None` for none.
    pub augment: Option<Augment>,
    /// Normalisation of each channel.
    pub normalize: Normalize,
    /// Mix-up with lambda ~ Beta(alpha, alpha); `None` for none.
    pub mixup_alpha: Option<f64>,
    /// Seeds plan, augmentation and mix-up.
    pub seed: u64,
    /// Threads that prepare batches, at least one.
    pub workers: usize,
    /// Where the batches' images are put.
    pub device: Device,
}

/// Makes the batches of each epoch. A batch depends on subset, configuration, epoch and its index alone, not on the
/// number of workers.
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
/// for batch in loader.epoch(0) {
///     assert_eq!(batch?.images.dims()[1..], [1, 28, 28]);
/// }
/// # Ok::<(), nc_data::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Loader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    subset: Subset,
    /// `None`: each image once, in the subset's order.
    sampler: Option<Sampler>,
    config: LoaderConfig,
    tables: Vec<[f32; 256]>,
    beta: Option<Beta<f64>>,
}

/// Batches a worker may be ahead of the consumer.
const AHEAD: usize = 2;

impl Loader {
    /// A loader of training batches.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for an empty subset or batch, an alpha that is not above 0, or a normalisation that does not
    /// fit the images.
    pub fn new(subset: &Subset, sampler: Sampler, config: LoaderConfig) -> Result<Self> {
        Self::build(subset, Some(sampler), config)
    }

    /// A loader of each image once, in the subset's order.
    ///
    /// # Errors
    ///
    /// As [`Loader::new`].
    pub fn sequential(subset: &Subset, config: LoaderConfig) -> Result<Self> {
        Self::build(subset, None, config)
    }

    fn build(subset: &Subset, sampler: Option<Sampler>, config: LoaderConfig) -> Result<Self> {
        if subset.is_empty() || config.batch_size == 0 {
            let message =
                format!("{} images in batches of {} are no batches", subset.len(), config.batch_size);
            return Err(Error::Config(message));
        }
        let tables = config.normalize.tables(subset.dataset().shape().channels)?;
        let beta = match config.mixup_alpha {
            None => None,
            Some(alpha) => Some(
                Beta::new(alpha, alpha)
                    .map_err(|_| Error::Config(format!("mix-up's alpha should be above 0, not {alpha}")))?,
            ),
        };
        let shared = Shared { subset: subset.clone(), sampler, config, tables, beta };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Number of batches of an epoch.
    pub fn batches_per_epoch(&self) -> usize {
        self.shared.subset.len().div_ceil(self.shared.config.batch_size)
    }

    /// The batches of `epoch`, in order.
    pub fn epoch(&self, epoch: usize) -> Epoch {
        self.epoch_from(epoch, 0)
    }

    /// The batches of `epoch` from number `first` on.
    pub fn epoch_from(&self, epoch: usize, first: usize) -> Epoch {
        let shared = &self.shared;
        let plan = Arc::new(match shared.sampler {
            Some(sampler) => sampler.plan(&shared.subset, shared.config.seed, epoch),
            None => (0..shared.subset.len()).collect(),
        });
        let batches = self.batches_per_epoch();
        let workers = shared.config.workers.clamp(1, batches);
        let receivers = (0..workers)
            .map(|worker| {
                let (sender, receiver) = sync_channel(AHEAD);
                let (shared, plan) = (Arc::clone(shared), Arc::clone(&plan));
                let numbers = (first + worker..batches).step_by(workers);
                thread::spawn(move || shared.prepare(&plan, epoch, numbers, &sender));
                receiver
            })
            .collect();
        Epoch {
            receivers,
            device: shared.config.device.clone(),
            first,
            next: first,
            batches,
            waited: Duration::ZERO,
        }
    }
}

/// A batch on the host.
struct Prepared {
    images: Vec<f32>,
    dims: (usize, usize, usize, usize),
    labels: Vec<u32>,
    mix: Option<Mix>,
}

impl Shared {
    /// Prepares batches until all are done or nobody wants more.
    fn prepare(
        &self,
        plan: &[usize],
        epoch: usize,
        numbers: impl Iterator<Item = usize>,
        sender: &SyncSender<Prepared>,
    ) {
        for number in numbers {
            if sender.send(self.batch(plan, epoch, number)).is_err() {
                return;
            }
        }
    }

    fn batch(&self, plan: &[usize], epoch: usize, number: usize) -> Prepared {
        let size = self.config.batch_size;
        let start = number * size;
        let positions = &plan[start..plan.len().min(start + size)];
        let shape = self.subset.dataset().shape();
        let mut images = vec![0.0; positions.len() * shape.values()];
        for ((offset, &position), out) in
            positions.iter().enumerate().zip(images.chunks_exact_mut(shape.values()))
        {
            let placement = self.config.augment.map_or(Placement::NONE, |augment| {
                let index = (start + offset) as u64;
                augment.draw(&mut stream(self.config.seed, Purpose::Augment, epoch as u64, index))
            });
            write_image(self.subset.image(position), shape, placement, &self.tables, out);
        }
        let labels: Vec<u32> = positions.iter().map(|&position| self.subset.labels()[position]).collect();
        let mix = self.beta.map(|beta| {
            let mut rng = stream(self.config.seed, Purpose::Mix, epoch as u64, number as u64);
            let lambda = beta.sample(&mut rng);
            let mut partners: Vec<usize> = (0..labels.len()).collect();
            partners.shuffle(&mut rng);
            images = mixed(&images, &partners, lambda as f32);
            Mix { lambda, partner: partners.into_iter().map(|partner| labels[partner]).collect() }
        });
        Prepared { images, dims: (labels.len(), shape.channels, shape.height, shape.width), labels, mix }
    }
}

/// lambda x_i + (1 - lambda) x_partner(i).
fn mixed(images: &[f32], partners: &[usize], lambda: f32) -> Vec<f32> {
    let values = images.len() / partners.len();
    let mut out = Vec::with_capacity(images.len());
    for (image, &partner) in images.chunks_exact(values).zip(partners) {
        let partner = &images[partner * values..][..values];
        out.extend(image.iter().zip(partner).map(|(x, y)| lambda * x + (1.0 - lambda) * y));
    }
    out
}

/// The batches of an epoch, in order. Dropping it stops its workers.
#[derive(Debug)]
pub struct Epoch {
    /// Batch `first + i` comes from receiver `i % receivers.len()`.
    receivers: Vec<Receiver<Prepared>>,
    device: Device,
    first: usize,
    next: usize,
    batches: usize,
    waited: Duration,
}

impl Epoch {
    /// How long the consumer has waited for batches so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.batches {
            return None;
        }
        let started = Instant::now();
        let prepared = self.receivers[(self.next - self.first) % self.receivers.len()].recv();
        self.waited += started.elapsed();
        let Ok(Prepared { images, dims, labels, mix }) = prepared else {
            self.next = self.batches;
            return Some(Err(Error::LoaderDied));
        };
        self.next += 1;
        let images = Tensor::from_vec(images, dims, &self.device);
        Some(images.map(|images| Batch { images, labels, mix }).map_err(Error::from))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.batches - self.next.min(self.batches);
        (left, Some(left))
    }
}
