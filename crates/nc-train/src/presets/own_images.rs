//! Default settings for one's own images, which depend on their number and sizes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use nc_data::{ImageOptions, ImageShape, LoadProgress, Profile, Survey, held_out_count, list};
use toml::Value;

use super::data_sets::TEST_FRACTION;
use crate::{
    DataFacts, Result,
    config::{DataConfig, DataSource, Experiment, Keep, Validation, ValidationMeasure},
    source::own_images,
};

/// Facts of one's own images, found without decoding them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnImages {
    /// Source that reads them: [`DataSource::ImageFolder`] or [`DataSource::ImageList`].
    pub source: DataSource,
    /// Training images of each class, from which validation and test images may be held out.
    pub class_counts: Vec<usize>,
    /// Validation images, if the source has them.
    pub validation: Option<usize>,
    /// Test images, if the source has them.
    pub test: Option<usize>,
    /// Height and width, if all images have the same.
    pub size: Option<(usize, usize)>,
    /// Channels: 1 if all images are grey, else 3.
    pub channels: usize,
}

/// A directory of one's own images, whose facts are read once, when they are needed.
pub struct ImageDirectory {
    path: PathBuf,
    read: Mutex<Reading>,
}

struct Reading {
    progress: Box<dyn LoadProgress + Send>,
    known: Vec<Known>,
}

/// Facts, and how the images were read.
struct Known {
    source: DataSource,
    /// List of images that are left out.
    skip: Option<PathBuf>,
    facts: Arc<OwnImages>,
}

impl fmt::Debug for ImageDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ImageDirectory").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ImageDirectory {
    /// The directory at `path`, whose images are read with `progress`.
    pub fn new(path: impl Into<PathBuf>, progress: impl LoadProgress + Send + 'static) -> Self {
        Self { path: path.into(), read: Mutex::new(Reading { progress: Box::new(progress), known: vec![] }) }
    }

    /// Source that reads the directory unless a preset chooses another: [`DataSource::ImageList`] if it has a training
    /// list, else [`DataSource::ImageFolder`].
    ///
    /// # Errors
    ///
    /// Those of [`nc_data::list::has_lists`].
    pub fn source(&self) -> Result<DataSource> {
        Ok(if list::has_lists(&self.path)? { DataSource::ImageList } else { DataSource::ImageFolder })
    }

    /// Facts of the images as read by `source`, without those listed in the file `skip`, a path relative to the directory.
    ///
    /// # Errors
    ///
    /// Those of [`OwnImages::read`].
    pub fn facts(&self, source: DataSource, skip: Option<&Path>) -> Result<Arc<OwnImages>> {
        let Reading { progress, known } = &mut *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(same) = known.iter().find(|known| known.source == source && known.skip.as_deref() == skip)
        {
            return Ok(same.facts.clone());
        }
        let facts = Arc::new(OwnImages::read(&self.path, source, skip, progress.as_mut())?);
        known.push(Known { source, skip: skip.map(Path::to_owned), facts: facts.clone() });
        Ok(facts)
    }

    /// Facts of the images, if they were needed.
    pub fn known(&self) -> Option<Arc<OwnImages>> {
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.known.last().map(|known| known.facts.clone())
    }
}

/// Settings that change the number of one's own images.
#[derive(Default)]
pub(crate) struct Reduction {
    /// List of images that are left out.
    pub(crate) skip: Option<PathBuf>,
    /// Long-tail profile.
    pub(crate) profile: Option<Profile>,
}

impl Reduction {
    /// That of a configuration, which may be invalid.
    pub(crate) fn of(config: &Value) -> Self {
        let setting = |key: &str| config.get("data").and_then(|data| data.get(key)).cloned();
        Self {
            skip: setting("skip").and_then(|skip| skip.try_into().ok()),
            profile: setting("profile").and_then(|profile| profile.try_into().ok()),
        }
    }
}

/// Name of the presets' data set for `source`.
pub fn data_set_of(source: DataSource) -> &'static str {
    if source == DataSource::ImageList { "image-list" } else { "image-folder" }
}

/// Whether the settings of the preset `experiment` follow number and sizes of one's own images.
pub(crate) fn fits_images(experiment: &Experiment) -> bool {
    let source = experiment.data.source;
    let data = experiment.name.split_once('/').map(|(data, _)| data);
    source.is_own_images() && data == Some(data_set_of(source))
}

/// Name of the default preset for `source`.
pub fn default_of(source: DataSource) -> &'static str {
    if source == DataSource::ImageList {
        "image-list/logit-adjustment"
    } else {
        "image-folder/logit-adjustment"
    }
}

/// Steps of the first phase that small and medium sets train for, and its longest and shortest length in epochs.
const STEPS: usize = 3_000;
const MOST_EPOCHS: usize = 100;
const FEWEST_EPOCHS: usize = 15;

/// Batches per epoch below which batches are smaller than the recipe's, down to the smallest.
const FEWEST_BATCHES: usize = 40;
const SMALLEST_BATCH: usize = 16;

/// Evaluations of the first phase.
const EVALUATIONS: usize = 10;

impl OwnImages {
    /// Side in pixels to which larger images, or images of different sizes, are scaled.
    pub const SIDE: usize = 32;

    /// Share of the images held out for testing, if there is no test set.
    pub const TEST_FRACTION: f64 = TEST_FRACTION;

    /// Share of the training images held out for validation, if there is no validation set.
    pub const VALIDATION_FRACTION: f64 = 0.15;

    /// Finds the images in `directory`, which has image lists or class directories, without those listed in the file `skip`,
    /// and reads their headers, with its `progress`.
    ///
    /// # Errors
    ///
    /// Those of [`nc_data::folder::find`], [`nc_data::list::find`], [`nc_data::ImageFiles::skip`] and
    /// [`nc_data::ImageFiles::survey`].
    pub fn read(
        directory: &Path,
        source: DataSource,
        skip: Option<&Path>,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let files = own_images(directory, source, skip)?;
        // Lists are read as their authors do, without EXIF orientation.
        let exif_orientation = source != DataSource::ImageList;
        let options = ImageOptions { exif_orientation, ..ImageOptions::default() };
        let Survey { class_counts, validation, test, size, channels } = files.survey(options, progress)?;
        Ok(Self { source, class_counts, validation, test, size, channels })
    }

    /// Images of a class from which one can be held out for validation: one for each of training, validation and, without
    /// a test set, testing. If no class has as many, nothing is held out.
    pub fn enough_for_validation(has_test: bool) -> usize {
        if has_test { 2 } else { 3 }
    }

    /// Shares held out of the training images: for testing, and of the rest for validation.
    fn held_out(&self, data: &DataConfig) -> [f64; 2] {
        let validation = data.validation.filter(|_| self.validation.is_none());
        [
            data.test_fraction.filter(|_| self.test.is_none()).unwrap_or(0.0),
            validation.map_or(0.0, |validation| validation.fraction),
        ]
    }

    /// Training images after hold-outs and the profile; about, if the images are in groups.
    fn training_images(&self, data: &DataConfig, profile: &Profile) -> usize {
        let fractions = self.held_out(data);
        let left = |images: usize, &fraction: &f64| {
            images - if fraction > 0.0 { held_out_count(images, fraction) } else { 0 }
        };
        let of_class = |&images: &usize| fractions.iter().fold(images, left);
        let available: Vec<usize> = self.class_counts.iter().map(of_class).collect();
        // Training reports a profile that does not fit the images.
        profile.counts(&available).unwrap_or(available).iter().sum()
    }

    /// As `training_images`, but for the rounding of hold-outs: the number from which the lengths of recorded runs follow.
    fn about_training_images(&self, data: &DataConfig, profile: &Profile) -> usize {
        let kept: f64 = self.held_out(data).iter().map(|share| 1.0 - share).product();
        let images = (self.class_counts.iter().sum::<usize>() as f64 * kept).round() as usize;
        let of_class = |&images: &usize| (images as f64 * kept).round() as usize;
        let available: Vec<usize> = self.class_counts.iter().map(of_class).collect();
        match profile {
            Profile::Full => images,
            profile => profile.counts(&available).map_or(images, |counts| counts.iter().sum()),
        }
    }

    /// Sets what depends on the images: their size, validation, batch size, learning rate, length and, for that length or
    /// for `epochs`, the evaluation interval. `profile` is that of the run, by default that of `experiment`.
    pub(crate) fn fit(&self, experiment: &mut Experiment, profile: Option<&Profile>, epochs: Option<usize>) {
        let data = &mut experiment.data;
        data.image_size = Some(match self.size {
            Some((height, width)) if height.max(width) <= Self::SIDE => (height, width),
            _ => (Self::SIDE, Self::SIDE),
        });
        let side = data.image_size.map_or(Self::SIDE, |(height, width)| height.min(width));
        if data.crop_padding >= side {
            data.crop_padding = side / 8;
        }
        let enough = Self::enough_for_validation(self.test.is_some());
        if self.validation.is_none() && self.class_counts.iter().any(|&images| images >= enough) {
            let chosen_by = ValidationMeasure::BalancedAccuracy;
            data.validation = Some(Validation { fraction: Self::VALIDATION_FRACTION, seed: 0, chosen_by });
        }
        if self.validation.is_some() || data.validation.is_some() {
            experiment.evaluation.keep = Keep::Best;
        }
        let images =
            self.about_training_images(&experiment.data, profile.unwrap_or(&experiment.data.profile));
        for phase in &mut experiment.phases {
            let full = phase.batch_size;
            let fitting = (images / FEWEST_BATCHES).max(1).next_power_of_two() / 2;
            phase.batch_size = fitting.clamp(SMALLEST_BATCH.min(full), full);
            // The linear scaling rule (Goyal et al. 2017).
            *phase.optimizer.learning_rate_mut() *= phase.batch_size as f64 / full as f64;
        }
        let batch = experiment.phases.first().map_or(1, |phase| phase.batch_size);
        let length = (STEPS / images.div_ceil(batch).max(1)).clamp(FEWEST_EPOCHS, MOST_EPOCHS);
        experiment.scale_epochs(length);
        experiment.evaluation.every_epochs = epochs.unwrap_or(length).div_ceil(EVALUATIONS).max(1);
    }

    /// Sizes of a run of `experiment`, about if the images are in groups. Hashes are empty.
    pub fn facts(&self, experiment: &Experiment) -> DataFacts {
        let all = self.training_images(&experiment.data, &Profile::Full);
        let train_images = self.training_images(&experiment.data, &experiment.data.profile);
        let held_out = self.class_counts.iter().sum::<usize>() - all;
        let (height, width) = experiment.data.image_size.or(self.size).unwrap_or((Self::SIDE, Self::SIDE));
        DataFacts {
            train_hash: String::new(),
            test_hash: String::new(),
            validation_hash: None,
            train_images,
            evaluated_images: held_out + self.validation.unwrap_or(0) + self.test.unwrap_or(0),
            shape: ImageShape { channels: self.channels, height, width },
            classes: self.class_counts.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::find;

    fn fitted(class_counts: &[usize], size: Option<(usize, usize)>, epochs: Option<usize>) -> Experiment {
        let class_counts = class_counts.to_vec();
        let source = DataSource::ImageFolder;
        let images = OwnImages { source, class_counts, validation: None, test: None, size, channels: 3 };
        let mut experiment = find("image-folder/balanced-softmax").unwrap();
        images.fit(&mut experiment, None, epochs);
        experiment
    }

    #[test]
    fn settings_follow_number_and_size_of_the_images() {
        // 20,000 images: 16,000 without the test set, 13,600 without validation images, 107 batches.
        let large = fitted(&[15_000, 5_000], Some((30, 20)), None);
        let phase = &large.phases[0];
        assert_eq!((phase.batch_size, phase.epochs), (128, 28));
        assert_eq!(phase.optimizer.learning_rate(), 0.1);
        assert_eq!((large.evaluation.every_epochs, large.evaluation.keep), (3, Keep::Best));
        assert_eq!(large.data.image_size, Some((30, 20)));
        // 300 images: 204 to train on.
        let small = fitted(&[200, 100], Some((30, 33)), None);
        let phase = &small.phases[0];
        assert_eq!((phase.batch_size, phase.epochs), (16, 100));
        assert_eq!(phase.optimizer.learning_rate(), 0.1 / 8.0);
        assert_eq!(small.data.image_size, Some((32, 32)));
        assert_eq!(small.data.validation.unwrap().fraction, 0.15);
        assert_eq!(fitted(&[200, 100], None, Some(4)).evaluation.every_epochs, 1);
        // Each class keeps an image, and holds one out if it has two.
        let class_counts = vec![1, 2, 3, 10];
        let source = DataSource::ImageFolder;
        let images =
            OwnImages { source, class_counts, validation: None, test: None, size: None, channels: 3 };
        let mut experiment = find("image-folder/ce").unwrap();
        images.fit(&mut experiment, None, None);
        assert_eq!(images.facts(&experiment).train_images, 1 + 1 + 1 + 7);
        // No class has images for training, validation and testing.
        let tiny = fitted(&[2, 2, 1], None, None);
        assert_eq!((tiny.data.validation, tiny.evaluation.keep), (None, Keep::Last));
    }
}
