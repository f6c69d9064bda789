//! From the configuration of the data to subsets and loaders.

use std::path::Path;

use candle_core::Device;
use nc_data::{
    Augment, Loader, LoaderConfig, Normalize, Sampler, Source, Subset,
    cifar::{self, Cifar},
    idx,
};

use crate::{DataConfig, DataSource, Error, Phase, Profile, Result, SamplerKind};

/// The training subset and the test set of a run.
pub(crate) struct Data {
    pub(crate) source: String,
    pub(crate) train: Subset,
    pub(crate) test: Subset,
    normalize: Normalize,
    augment: Augment,
}

/// Images in a batch without gradients.
const EVALUATION_BATCH: usize = 256;

impl Data {
    pub(crate) fn open(config: &DataConfig, data_dir: Option<&Path>) -> Result<Self> {
        let source = open_source(config.source, data_dir)?;
        let train = Subset::draw(&source.train, &(&config.profile).into(), config.subset_seed)?;
        let test = Subset::all(&source.test);
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
        let augment = Augment { crop_padding: config.crop_padding, flip: config.flip };
        Ok(Self { source: source.name, train, test, normalize, augment })
    }

    /// The batches of a phase.
    pub(crate) fn training(
        &self,
        phase: &Phase,
        seed: u64,
        workers: usize,
        device: &Device,
    ) -> Result<Loader> {
        let config = LoaderConfig {
            batch_size: phase.batch_size,
            augment: Some(self.augment),
            normalize: self.normalize.clone(),
            mixup_alpha: (phase.mixup_alpha > 0.0).then_some(phase.mixup_alpha),
            seed,
            workers,
            device: device.clone(),
        };
        Ok(Loader::new(&self.train, sampler(phase), config)?)
    }

    /// Each image of `subset` once, un-augmented, in order.
    pub(crate) fn sequential(&self, subset: &Subset, workers: usize, device: &Device) -> Result<Loader> {
        let config = LoaderConfig {
            batch_size: EVALUATION_BATCH,
            augment: None,
            normalize: self.normalize.clone(),
            mixup_alpha: None,
            seed: 0,
            workers,
            device: device.clone(),
        };
        Ok(Loader::sequential(subset, config)?)
    }
}

fn open_source(source: DataSource, data_dir: Option<&Path>) -> Result<Source> {
    let from_files = |name| data_dir.ok_or(Error::DataDirMissing { source_name: name });
    match source {
        DataSource::FashionMnistLt if data_dir.is_some() => {
            let message =
                "is fashion-mnist-lt, which is inside the program and reads nothing from --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::FashionMnistLt => Ok(nc_data::fashion_mnist_lt()?),
        DataSource::Idx => Ok(idx::read_dir(from_files("idx")?)?),
        DataSource::Cifar10 => Ok(cifar::read_dir(from_files("cifar10")?, Cifar::Ten)?),
        DataSource::Cifar100 => Ok(cifar::read_dir(from_files("cifar100")?, Cifar::Hundred)?),
    }
}

fn sampler(phase: &Phase) -> Sampler {
    match phase.sampler {
        SamplerKind::Uniform => Sampler::Uniform,
        SamplerKind::ClassBalanced => Sampler::ClassBalanced,
        SamplerKind::EffectiveNumber { beta } => Sampler::EffectiveNumber { beta },
        SamplerKind::SquareRoot => Sampler::SquareRoot,
        SamplerKind::Reverse => Sampler::Reverse,
        SamplerKind::Progressive => Sampler::Progressive { epochs: phase.epochs },
    }
}

impl From<&Profile> for nc_data::Profile {
    fn from(profile: &Profile) -> Self {
        match *profile {
            Profile::Full => Self::Full,
            Profile::Balanced { per_class } => Self::Balanced { per_class },
            Profile::Exponential { ratio, largest } => Self::Exponential { ratio, largest },
            Profile::Step { ratio, largest } => Self::Step { ratio, largest },
            Profile::Counts { ref counts } => Self::Counts(counts.clone()),
        }
    }
}
