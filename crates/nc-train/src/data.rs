//! From the configuration of the data to subsets and loaders.

use std::path::Path;

use candle_core::Device;
use nc_data::{
    Augment, ImageShape, Loader, LoaderConfig, Normalize, Plan, Source, Subset, ViewConfig,
    cifar::{self, Cifar},
    folder, idx, list,
    rng::Purpose,
};

use crate::{
    Error, Result,
    config::{DataConfig, DataSource, Phase, Validation},
    error::ensure,
};

/// The training subset and the test set of a run.
pub(crate) struct Data {
    pub(crate) source: String,
    pub(crate) train: Subset,
    /// Held out of the training images, to choose an epoch by.
    pub(crate) validation: Option<Subset>,
    pub(crate) test: Subset,
    normalize: Normalize,
    augment: Augment,
}

/// Images in a batch without gradients.
const EVALUATION_BATCH: usize = 256;

impl Data {
    pub(crate) fn open(config: &DataConfig, data_dir: Option<&Path>) -> Result<Self> {
        let source = open_source(config, data_dir)?;
        let mut train = Subset::all(&source.train);
        let mut test = Subset::all(&source.test);
        if test.is_empty() {
            let fraction = config.test_fraction.ok_or_else(|| {
                let message = format!("is not set, but {:?} has no test images", source.name);
                Error::setting("data.test_fraction", message)
            })?;
            (train, test) = train.hold_out(fraction, config.subset_seed, Purpose::Test)?;
            ensure(!test.is_empty(), "data.test_fraction", || {
                format!("is {fraction}, which leaves nothing to test on: each class has one image at most")
            })?;
        }
        let mut validation = None;
        if let Some(Validation { fraction, seed }) = config.validation {
            let (rest, held_out) = train.hold_out(fraction, seed, Purpose::Validation)?;
            ensure(!held_out.is_empty(), "data.validation.fraction", || {
                format!(
                    "is {fraction}, which leaves nothing to validate on: each class has one image at most"
                )
            })?;
            (train, validation) = (rest, Some(held_out));
        }
        let train = train.thinned(&config.profile, config.subset_seed).map_err(|error| match error {
            nc_data::Error::TooFewImages { .. } | nc_data::Error::Profile(_) => {
                Error::setting("data.profile", error.to_string())
            }
            other => other.into(),
        })?;
        let counts = train.class_counts().iter().zip(source.train.class_names());
        let empty: Vec<&str> =
            counts.filter(|(count, _)| **count == 0).map(|(_, name)| name.as_str()).collect();
        if !empty.is_empty() {
            return Err(Error::EmptyClasses { names: empty.join(", ") });
        }
        let channels = source.train.shape().channels;
        let normalize = if config.mean.is_empty() {
            Normalize::of(&train)
        } else {
            Normalize { mean: config.mean.clone(), std: config.std.clone() }
        };
        if normalize.mean.len() != channels {
            let message = format!("has {} values for images of {channels} channels", normalize.mean.len());
            return Err(Error::setting("data.mean", message));
        }
        let ImageShape { height, width, .. } = source.train.shape();
        let (padding, side) = (config.crop_padding, height.min(width));
        ensure(padding < side, "data.crop_padding", || {
            format!("is {padding}, should be below the images' smaller side of {side} pixels")
        })?;
        let augment = Augment { crop_padding: config.crop_padding, flip: config.flip };
        Ok(Self { source: source.name, train, validation, test, normalize, augment })
    }

    /// The batches of a phase.
    pub(crate) fn training(
        &self,
        phase: &Phase,
        seed: u64,
        workers: usize,
        device: &Device,
    ) -> Result<Loader> {
        let view = ViewConfig {
            plan: Plan::Sampled(phase.sampler),
            augment: Some(self.augment),
            mixup_alpha: (phase.mixup_alpha > 0.0).then_some(phase.mixup_alpha),
        };
        let config = LoaderConfig {
            views: vec![view],
            epochs: Some(phase.epochs),
            batch_size: phase.batch_size,
            normalize: self.normalize.clone(),
            seed,
            workers,
            device: device.clone(),
        };
        Ok(Loader::new(&self.train, config)?)
    }

    /// Each image of `subset` once, un-augmented, in order.
    pub(crate) fn sequential(&self, subset: &Subset, workers: usize, device: &Device) -> Result<Loader> {
        let config = LoaderConfig {
            views: vec![],
            epochs: None,
            batch_size: EVALUATION_BATCH,
            normalize: self.normalize.clone(),
            seed: 0,
            workers,
            device: device.clone(),
        };
        Ok(Loader::sequential(subset, config)?)
    }
}

fn open_source(config: &DataConfig, data_dir: Option<&Path>) -> Result<Source> {
    let from_files = |name| data_dir.ok_or(Error::DataDirMissing { source_name: name });
    let sized = |source: nc_data::Result<Source>| match source {
        Err(error @ nc_data::Error::ImageSizes { .. }) => {
            Err(Error::setting("data.image_size", format!("is not set, but {error}")))
        }
        other => Ok(other?),
    };
    match config.source {
        DataSource::FashionMnistLt if data_dir.is_some() => {
            let message =
                "is fashion-mnist-lt, which is inside the program and reads nothing from --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist if data_dir.is_some() => {
            let message = "is on the hub, whose files lie under HF_HOME and not in --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::FashionMnistLt => Ok(nc_data::fashion_mnist_lt()?),
        DataSource::Idx => Ok(idx::read_dir(from_files("idx")?)?),
        DataSource::Cifar10 => Ok(cifar::read_dir(from_files("cifar10")?, Cifar::Ten)?),
        DataSource::Cifar100 => Ok(cifar::read_dir(from_files("cifar100")?, Cifar::Hundred)?),
        DataSource::ImageFolder => sized(folder::read_dir(from_files("image-folder")?, config.image_size)),
        DataSource::ImageList => sized(list::read_dir(from_files("image-list")?, config.image_size)),
        #[cfg(feature = "hub")]
        DataSource::HubCifar10 => Ok(nc_data::hub::cifar10()?),
        #[cfg(feature = "hub")]
        DataSource::HubMnist => Ok(nc_data::hub::mnist()?),
        #[cfg(feature = "hub")]
        DataSource::HubFashionMnist => Ok(nc_data::hub::fashion_mnist()?),
        #[cfg(not(feature = "hub"))]
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist => {
            let message = "is on the hub, which this program was built without: build it with --features hub";
            Err(Error::setting("data.source", message))
        }
    }
}
