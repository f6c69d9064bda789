//! Subsets and loaders built from the data configuration.

use std::path::Path;

use candle_core::Device;
use nc_data::{
    ImageOptions, ImageShape, Loader, LoaderConfig, Normalize, Plan, Source, Subset, Transform, ViewConfig,
    cifar::{self, Cifar},
    folder, idx, list,
    rng::Purpose,
};
use nc_record::{DataSummary, InputSpec, Resize};

use crate::{
    Error, Result,
    config::{DataConfig, DataSource, Experiment, Phase, Validation, ValidationMeasure},
    error::ensure,
};

/// Training, validation and test images of a run.
pub(crate) struct Data {
    pub(crate) source: String,
    pub(crate) train: Subset,
    /// Validation images, with the measure that selects an epoch.
    pub(crate) validation: Option<(Subset, ValidationMeasure)>,
    pub(crate) test: Subset,
    /// Training images per class of the run. They equal those of `train` unless a run is evaluated on other images.
    pub(crate) class_counts: Vec<usize>,
    /// Whether the source has no test images, so that they were held out of the training images.
    test_held_out: bool,
    /// Notes on the images.
    pub(crate) notes: Vec<String>,
    resize: Option<Resize>,
    normalize: Normalize,
    transforms: Vec<Transform>,
}

/// Batch size of evaluation.
const EVALUATION_BATCH: usize = 256;

impl Data {
    /// The images of a new run.
    pub(crate) fn open(config: &DataConfig, data_dir: Option<&Path>) -> Result<Self> {
        Self::of(config, open_source(config, data_dir)?)
    }

    /// Images for a trained network, with its classes, channels and normalisation.
    pub(crate) fn open_for(config: &DataConfig, data_dir: Option<&Path>, input: &InputSpec) -> Result<Self> {
        let mut source = open_source(config, data_dir)?;
        let unfit = |reason: String| Error::OtherImages { reason };
        let ImageShape { height, width, .. } = source.train.shape();
        if (height, width) != (input.height, input.width) {
            let (h, w) = (input.height, input.width);
            return Err(unfit(format!(
                "they are {height}x{width} pixels, the network was trained on {h}x{w}"
            )));
        }
        for images in [&mut source.train, &mut source.test] {
            let fitted =
                images.with_channels(input.channels).and_then(|images| images.with_classes(&input.classes));
            *images = fitted.map_err(|error| unfit(error.to_string()))?;
        }
        let config = DataConfig { mean: input.mean.clone(), std: input.std.clone(), ..config.clone() };
        Self::of(&config, source)
    }

    fn of(config: &DataConfig, source: Source) -> Result<Self> {
        let mut notes = source.notes;
        ensure(source.train.num_classes() > 1, "data.source", || {
            format!("expected at least two classes, found one in {:?}", source.name)
        })?;
        let mut train = Subset::all(&source.train);
        let mut test = Subset::all(&source.test);
        if test.is_empty() {
            let fraction = config.test_fraction.ok_or_else(|| {
                let message = format!("missing; set it, because {:?} has no test images", source.name);
                Error::setting("data.test_fraction", message)
            })?;
            (train, test) = train.hold_out(fraction, config.subset_seed, Purpose::Test)?;
            ensure(!test.is_empty(), "data.test_fraction", || {
                format!("{fraction} holds out no test images because no class has two images")
            })?;
        }
        let mut validation = None;
        if let Some(Validation { fraction, seed, chosen_by }) = config.validation {
            let (rest, held_out) = train.hold_out(fraction, seed, Purpose::Validation)?;
            ensure(!held_out.is_empty(), "data.validation.fraction", || {
                format!("{fraction} holds out no validation images because no class has two images")
            })?;
            let smallest = held_out
                .class_counts()
                .iter()
                .enumerate()
                .min_by_key(|&(class, &count)| (count, train.class_counts()[class]));
            if let Some((class, count)) = smallest {
                let (images, name) = (held_out.len(), &source.train.class_names()[class]);
                notes.push(format!("validation: {images} images, {count} of the smallest class {name:?}"));
            }
            (train, validation) = (rest, Some((held_out, chosen_by)));
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
        let ambiguous = train.copies_under_other_labels();
        if ambiguous > 0 {
            notes.push(format!("{ambiguous} training images are identical to images of another class"));
        }
        for (subset, what) in
            [(Some(&test), "test"), (validation.as_ref().map(|(subset, _)| subset), "validation")]
        {
            let copies = subset.map_or(0, |subset| subset.copies_in(&train));
            if copies > 0 {
                notes.push(format!(
                    "{copies} {what} images are copies of training images, which inflates accuracy"
                ));
            }
        }
        let channels = source.train.shape().channels;
        let normalize = if config.mean.is_empty() {
            Normalize::of(&train)
        } else {
            Normalize { mean: config.mean.clone(), std: config.std.clone() }
        };
        if normalize.mean.len() != channels {
            let message = format!("expected {channels} values, found {}", normalize.mean.len());
            return Err(Error::setting("data.mean", message));
        }
        let ImageShape { height, width, .. } = source.train.shape();
        let (padding, side) = (config.crop_padding, height.min(width));
        ensure(padding < side, "data.crop_padding", || {
            format!("expected less than the images' smaller side of {side} pixels, found {padding}")
        })?;
        let transforms = transforms(config, &train)?;
        let resize = config.image_size.map(|_| Resize::CoverAndCrop);
        let class_counts = train.class_counts().to_vec();
        let test_held_out = source.test.is_empty();
        Ok(Self {
            test_held_out,
            source: source.name,
            train,
            validation,
            test,
            class_counts,
            notes,
            resize,
            normalize,
            transforms,
        })
    }

    /// Takes over the class counts of `run`, which define the shot groups, and notes images that differ from the run's.
    /// Without a stored [`InputSpec`], only the run's own training images give its normalisation and its order of classes.
    pub(crate) fn compare_with(&mut self, run: &DataSummary, has_input_spec: bool) -> Result<()> {
        if run.class_counts.len() != self.class_counts.len() {
            let (expected, found) = (run.class_counts.len(), self.class_counts.len());
            return Err(Error::OtherImages { reason: format!("{found} classes, expected {expected}") });
        }
        let same_training = run.train_hash == self.train.hash();
        if same_training && run.class_counts != self.class_counts {
            let reason = "result.json has other class sizes than the training images of the same hash".into();
            return Err(Error::OtherImages { reason });
        }
        if !has_input_spec && !same_training {
            let reason = "the run is of an earlier version, which stored neither normalisation nor class names, and the training \
                          images are not those of the run";
            return Err(Error::OtherImages { reason: reason.into() });
        }
        if self.test_held_out && !same_training {
            let reason = "their test images are held out of the training images, which are not those of the run: some may have \
                          been trained on; add a directory test";
            return Err(Error::OtherImages { reason: reason.into() });
        }
        if !same_training {
            let changed =
                self.class_counts.iter().zip(&run.class_counts).filter(|(here, run)| here != run).count();
            self.notes.push(format!(
                "the training images are not those of the run ({changed} classes differ in size): neural collapse is \
                 measured on these images, but shot groups follow the run's class counts"
            ));
        }
        if run.test_hash != self.test.hash() {
            let (here, run) = (self.test.len(), run.test_images);
            self.notes.push(format!(
                "the test images are not those of the run ({here} here, {run} in the run): metrics may differ from its \
                 result"
            ));
        }
        self.class_counts.clone_from(&run.class_counts);
        Ok(())
    }

    /// Input specification of a network trained on these images.
    pub(crate) fn input(&self) -> InputSpec {
        let ImageShape { channels, height, width } = self.train.dataset().shape();
        let Normalize { mean, std } = self.normalize.clone();
        let classes = self.train.dataset().class_names().to_vec();
        InputSpec { classes, channels, height, width, resize: self.resize, mean, std }
    }

    /// Hash of the validation images if they determine the weights of `experiment`.
    ///
    /// # Errors
    ///
    /// If there are none.
    pub(crate) fn deciding_validation(&self, experiment: &Experiment) -> Result<Option<String>> {
        let Some(setting) = experiment.evaluation.decided_by_validation() else { return Ok(None) };
        let Some((validation, _)) = &self.validation else {
            let message = "requires validation images, found none; set data.validation={fraction=0.1}";
            return Err(Error::setting(setting, message));
        };
        Ok(Some(validation.hash().to_owned()))
    }

    /// Loader of a phase's training batches.
    pub(crate) fn training(
        &self,
        phase: &Phase,
        seed: u64,
        workers: usize,
        device: &Device,
    ) -> Result<Loader> {
        let view = ViewConfig {
            plan: Plan::Sampled(phase.sampler),
            transforms: self.transforms.clone(),
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

    /// Loader of `subset` for evaluation: each image once, in order, without augmentation.
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

/// How image files of folders and lists are read.
pub(crate) fn image_options(config: &DataConfig) -> ImageOptions {
    let upright = config.exif_orientation.unwrap_or(config.source == DataSource::ImageFolder);
    ImageOptions { size: config.image_size, exif_orientation: upright }
}

/// The transforms of training images: crop, flip, and those of the list.
fn transforms(config: &DataConfig, train: &Subset) -> Result<Vec<Transform>> {
    let mut transforms = vec![Transform::Crop { padding: config.crop_padding }];
    transforms.extend(config.flip.then_some(Transform::Flip));
    transforms.extend(&config.transforms);
    let shape = train.dataset().shape();
    let refused = |reason: String| Error::setting("data.transforms", reason);
    let view = ViewConfig { transforms: transforms.clone(), ..ViewConfig::new(Plan::Sequential) };
    let after = view.image_shape(shape).map_err(|error| refused(error.to_string()))?;
    ensure(after == shape, "data.transforms", || {
        let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
        format!("expected images of {}, the size in evaluation, found {}", size(shape), size(after))
    })?;
    Ok(transforms)
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
            let message = "fashion-mnist-lt is built into the program; remove --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist if data_dir.is_some() => {
            let message = "hub data sets are stored under HF_HOME; remove --data-dir";
            Err(Error::setting("data.source", message))
        }
        DataSource::FashionMnistLt => Ok(nc_data::fashion_mnist_lt()?),
        DataSource::Idx => Ok(idx::read_dir(from_files("idx")?)?),
        DataSource::Cifar10 => Ok(cifar::read_dir(from_files("cifar10")?, Cifar::Ten)?),
        DataSource::Cifar100 => Ok(cifar::read_dir(from_files("cifar100")?, Cifar::Hundred)?),
        DataSource::ImageFolder => {
            sized(folder::read_dir(from_files("image-folder")?, image_options(config)))
        }
        DataSource::ImageList => sized(list::read_dir(from_files("image-list")?, image_options(config))),
        #[cfg(feature = "hub")]
        DataSource::HubCifar10 => Ok(nc_data::hub::cifar10()?),
        #[cfg(feature = "hub")]
        DataSource::HubMnist => Ok(nc_data::hub::mnist()?),
        #[cfg(feature = "hub")]
        DataSource::HubFashionMnist => Ok(nc_data::hub::fashion_mnist()?),
        #[cfg(not(feature = "hub"))]
        DataSource::HubCifar10 | DataSource::HubMnist | DataSource::HubFashionMnist => {
            let message = "this program was built without hub support; build it with --features hub";
            Err(Error::setting("data.source", message))
        }
    }
}
