//! Subsets and loaders built from the data configuration.

use std::{collections::HashSet, path::Path};

use candle_core::Device;
use nc_data::{
    ImageShape, LoadProgress, Loader, LoaderConfig, Normalize, Plan, Source, Subset, Transform, ViewConfig,
    counted, rng::Purpose,
};
use nc_record::{DataSummary, InputSpec, Resize};

use crate::{
    Error, Result,
    config::{DataConfig, Experiment, Phase, Validation, ValidationMeasure},
    error::ensure,
    source::open_source,
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
    /// Notes on hold-outs and validation images, which concern training only.
    hold_outs: Vec<String>,
    resize: Option<Resize>,
    normalize: Normalize,
    transforms: Vec<Transform>,
}

/// Batch size of evaluation.
const EVALUATION_BATCH: usize = 256;

impl Data {
    /// The images of a new run.
    pub(crate) fn open(
        config: &DataConfig,
        data_dir: Option<&Path>,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let mut data = Self::of(config, open_source(config, data_dir, progress)?)?;
        data.notes.append(&mut data.hold_outs);
        Ok(data)
    }

    /// Images for a trained network, with its classes, channels and normalisation.
    pub(crate) fn open_for(
        config: &DataConfig,
        data_dir: Option<&Path>,
        input: &InputSpec,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let mut source = open_source(config, data_dir, progress)?;
        let unfit = |reason: String| Error::OtherImages { reason };
        let ImageShape { height, width, .. } = source.train.shape();
        if (height, width) != (input.height, input.width) {
            let (h, w) = (input.height, input.width);
            return Err(unfit(format!(
                "they are {height}x{width} pixels, the network was trained on {h}x{w}"
            )));
        }
        for images in [&mut source.train, &mut source.test].into_iter().chain(&mut source.validation) {
            let fitted =
                images.with_channels(input.channels).and_then(|images| images.with_classes(&input.classes));
            *images = fitted.map_err(|error| unfit(error.to_string()))?;
        }
        let config = DataConfig { mean: input.mean.clone(), std: input.std.clone(), ..config.clone() };
        Self::of(&config, source)
    }

    fn of(config: &DataConfig, source: Source) -> Result<Self> {
        let (mut notes, mut hold_outs) = (source.notes, vec![]);
        ensure(source.train.num_classes() > 1, "data.source", || {
            format!("expected at least two classes, found one in {:?}", source.name)
        })?;
        let mut train = Subset::all(&source.train);
        let mut test = Subset::all(&source.test);
        let has_groups = train.dataset().groups().is_some();
        let spare = if has_groups { "no class has two groups" } else { "no class has two images" };
        if test.is_empty() {
            let fraction = config.test_fraction.ok_or_else(|| {
                let message = format!("missing; set it, because {:?} has no test images", source.name);
                Error::setting("data.test_fraction", message)
            })?;
            (train, test) = train.hold_out(fraction, config.subset_seed, Purpose::Test)?;
            ensure(!test.is_empty(), "data.test_fraction", || {
                format!("{fraction} holds out no test images because {spare}")
            })?;
            hold_outs.extend(groups_note(&train, &test, "test"));
        }
        let mut validation = None;
        if let Some(images) = &source.validation {
            let chosen_by = config.validation.map(|validation| validation.chosen_by).unwrap_or_default();
            if let Some(Validation { fraction, .. }) = config.validation {
                hold_outs.push(format!(
                    "data.validation.fraction={fraction} is not used, because {:?} has a validation set",
                    source.name
                ));
            }
            validation = Some((Subset::all(images), chosen_by));
        } else if let Some(Validation { fraction, seed, chosen_by }) = config.validation {
            let (rest, held_out) = train.hold_out(fraction, seed, Purpose::Validation)?;
            ensure(!held_out.is_empty(), "data.validation.fraction", || {
                format!(
                    "{fraction} holds out no validation images because {spare}; add validation images, or train without \
                     by --set data.validation=none --set evaluation.keep=last"
                )
            })?;
            hold_outs.extend(groups_note(&rest, &held_out, "validation"));
            (train, validation) = (rest, Some((held_out, chosen_by)));
        }
        if let Some((images, _)) = &validation {
            hold_outs.push(smallest_class(images, &train));
        }
        let holds_out =
            source.test.is_empty() || (source.validation.is_none() && config.validation.is_some());
        if config.groups.is_some() && !holds_out {
            hold_outs.push("data.groups is not used, because no images are held out".into());
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
            let images = counted(ambiguous, "training image is", "training images are");
            notes.push(format!("{images} identical to images of another class"));
        }
        notes.extend(copies_note(&test, "test", &train));
        if let Some((images, _)) = &validation {
            hold_outs.extend(copies_note(images, "validation", &train));
            let copies = images.copies_in(&test);
            if copies > 0 {
                let images = counted(copies, "validation image is a copy", "validation images are copies");
                hold_outs
                    .push(format!("{images} of test images, so test images take part in choosing an epoch"));
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
        let scales = config.streaming.as_ref().is_none_or(|streaming| streaming.evaluation.is_empty());
        let resize = config.image_size.filter(|_| scales).map(|_| Resize::CoverAndCrop);
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
            hold_outs,
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
            let reason = "the test images, held out of other training images than the run's, may include images that the run \
                          was trained on; add a test set";
            return Err(Error::OtherImages { reason: reason.into() });
        }
        if !same_training {
            let changed =
                self.class_counts.iter().zip(&run.class_counts).filter(|(here, run)| here != run).count();
            let difference = match changed {
                0 => "as many of each class, other pixels".to_owned(),
                changed => format!("{changed} of {} classes differ in size", self.class_counts.len()),
            };
            self.notes.push(format!(
                "the training images are not those of the run ({difference}): neural collapse is measured on these images, \
                 but shot groups follow the run's class counts"
            ));
        }
        if run.test_hash != self.test.hash() {
            let difference = match (self.test.len(), run.test_images) {
                (here, run) if here == run => "as many, other pixels or labels".to_owned(),
                (here, run) => format!("{here} here, {run} in the run"),
            };
            self.notes.push(format!(
                "the test images are not those of the run ({difference}): metrics may differ from its result"
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
        let Some(setting) = experiment.decided_by_validation() else { return Ok(None) };
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
        let mixup_alpha = (phase.mixup_alpha > 0.0).then_some(phase.mixup_alpha);
        let first = Plan::Sampled(phase.sampler);
        let views = if phase.views.is_empty() {
            let plans = [first].into_iter().chain(phase.second_sampler.map(Plan::Sampled));
            plans.map(|plan| ViewConfig { plan, transforms: self.transforms.clone(), mixup_alpha }).collect()
        } else {
            let plans = [first].into_iter().chain(std::iter::repeat(Plan::SameAs(0)));
            let flip = self.transforms.iter().filter(|transform| matches!(transform, Transform::Flip));
            let views = phase.views.iter().enumerate().zip(plans).map(|((view, own), plan)| {
                let transforms: Vec<Transform> = flip.clone().chain(own).copied().collect();
                check_transforms(&format!("phases.{}.views.{view}", phase.name), &transforms, &self.train)?;
                Ok(ViewConfig { plan, transforms, mixup_alpha })
            });
            views.collect::<Result<_>>()?
        };
        let config = LoaderConfig {
            views,
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

/// The number of groups held out, and classes that could hold out none.
fn groups_note(rest: &Subset, held_out: &Subset, what: &str) -> Option<String> {
    let of_all = rest.dataset().groups()?;
    let groups =
        |subset: &Subset| subset.indices().iter().map(|&index| of_all[index]).collect::<HashSet<_>>().len();
    let (groups, of) = (groups(held_out), groups(held_out) + groups(rest));
    let (kept, held_out) = (rest.group_counts()?, held_out.group_counts()?);
    let names = rest.dataset().class_names();
    let without = names.iter().zip(kept.iter().zip(&held_out));
    let without: Vec<&str> = without
        .filter(|&(_, (&kept, &held_out))| kept > 0 && held_out == 0)
        .map(|(name, _)| name.as_str())
        .collect();
    let none = match without.len() {
        0 => String::new(),
        1..=3 => format!(", none of {}", without.join(", ")),
        more => format!(", none of {more} classes, among them {}", without[..3].join(", ")),
    };
    Some(format!("{what} images are {} of {of}{none}", counted(groups, "whole group", "whole groups")))
}

fn smallest_class(validation: &Subset, train: &Subset) -> String {
    let counts = validation.class_counts().iter().enumerate();
    let smallest = counts.min_by_key(|&(class, &count)| (count, train.class_counts()[class]));
    let smallest = smallest.map_or_else(String::new, |(class, count)| {
        format!(", {count} of the smallest class {:?}", train.dataset().class_names()[class])
    });
    format!("validation: {}{smallest}", counted(validation.len(), "image", "images"))
}

fn copies_note(images: &Subset, what: &str, train: &Subset) -> Option<String> {
    let copies = images.copies_in(train);
    let (one, many) = (format!("{what} image is a copy"), format!("{what} images are copies"));
    (copies > 0)
        .then(|| format!("{} of training images, which inflates accuracy", counted(copies, &one, &many)))
}

/// The transforms of training images: crop, flip, and those of the list.
fn transforms(config: &DataConfig, train: &Subset) -> Result<Vec<Transform>> {
    let mut transforms = vec![Transform::Crop { padding: config.crop_padding }];
    transforms.extend(config.flip.then_some(Transform::Flip));
    transforms.extend(&config.transforms);
    check_transforms("data.transforms", &transforms, train)?;
    Ok(transforms)
}

/// Checks that `transforms` fit the images and keep their size.
fn check_transforms(setting: &str, transforms: &[Transform], train: &Subset) -> Result<()> {
    let shape = train.dataset().shape();
    let view = ViewConfig { transforms: transforms.to_vec(), ..ViewConfig::new(Plan::Sequential) };
    let after = view.image_shape(shape).map_err(|error| Error::setting(setting, error.to_string()))?;
    ensure(after == shape, setting, || {
        let size = |shape: ImageShape| format!("{}x{}", shape.height, shape.width);
        format!("expected images of {}, the size in evaluation, found {}", size(shape), size(after))
    })
}
