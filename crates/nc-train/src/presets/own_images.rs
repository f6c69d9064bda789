//! Default settings for one's own images, which depend on their number and sizes.
//!
//! The constants were chosen on validation images of three data sets; docs/own-images.md shows the measurements.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use nc_data::{ImageOptions, ImageShape, Survey, folder, list};

use crate::{
    DataFacts, Result,
    config::{DataSource, Experiment, Keep, Validation, ValidationMeasure},
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
#[derive(Debug)]
pub struct ImageDirectory {
    path: PathBuf,
    facts: OnceLock<OwnImages>,
}

impl ImageDirectory {
    /// The directory at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), facts: OnceLock::new() }
    }

    /// Facts of the images.
    ///
    /// # Errors
    ///
    /// Those of [`OwnImages::read`].
    pub fn facts(&self) -> Result<&OwnImages> {
        if let Some(facts) = self.facts.get() {
            return Ok(facts);
        }
        let facts = OwnImages::read(&self.path)?;
        Ok(self.facts.get_or_init(|| facts))
    }

    /// Facts of the images, if they were needed.
    pub fn known(&self) -> Option<&OwnImages> {
        self.facts.get()
    }
}

/// Steps of the first phase that small and medium sets train for, and its longest and shortest length in epochs.
const STEPS: usize = 8_000;
const MOST_EPOCHS: usize = 100;
const FEWEST_EPOCHS: usize = 15;

/// Batches per epoch below which batches are smaller than the recipe's, down to the smallest.
const FEWEST_BATCHES: usize = 40;
const SMALLEST_BATCH: usize = 16;

/// Evaluations of the first phase.
const EVALUATIONS: usize = 20;

impl OwnImages {
    /// Side in pixels to which larger images, or images of different sizes, are scaled.
    pub const SIDE: usize = 64;

    /// Share of the training images held out for validation, if there is no validation set.
    pub const VALIDATION_FRACTION: f64 = 0.15;

    /// Finds the images in `directory`, which has image lists or class directories, and reads their headers.
    ///
    /// # Errors
    ///
    /// Those of [`nc_data::folder::find`], [`nc_data::list::find`] and [`nc_data::ImageFiles::survey`].
    pub fn read(directory: &Path) -> Result<Self> {
        let has_lists = list::has_lists(directory)?;
        let files = if has_lists { list::find(directory)? } else { folder::find(directory)? };
        // Lists are read as their authors do, without EXIF orientation.
        let options = ImageOptions { exif_orientation: !has_lists, ..ImageOptions::default() };
        let Survey { class_counts, validation, test, size, channels } = files.survey(options)?;
        let source = if has_lists { DataSource::ImageList } else { DataSource::ImageFolder };
        Ok(Self { source, class_counts, validation, test, size, channels })
    }

    /// Name of the presets' data set.
    pub fn data_set(&self) -> &'static str {
        if self.source == DataSource::ImageList { "image-list" } else { "image-folder" }
    }

    /// Name of the default preset.
    pub fn preset(&self) -> &'static str {
        if self.source == DataSource::ImageList {
            "image-list/balanced-softmax"
        } else {
            "image-folder/balanced-softmax"
        }
    }

    /// Training images after hold-outs, about.
    fn training_images(&self, experiment: &Experiment) -> usize {
        let data = &experiment.data;
        let test = data.test_fraction.filter(|_| self.test.is_none()).unwrap_or(0.0);
        let validation = data.validation.filter(|_| self.validation.is_none());
        let kept = (1.0 - test) * (1.0 - validation.map_or(0.0, |validation| validation.fraction));
        (self.class_counts.iter().sum::<usize>() as f64 * kept).round() as usize
    }

    /// Sets what depends on the images: their size, validation, batch size, learning rate and length.
    pub(crate) fn fit(&self, experiment: &mut Experiment) {
        let data = &mut experiment.data;
        data.image_size = Some(match self.size {
            Some((height, width)) if height.max(width) <= Self::SIDE => (height, width),
            _ => (Self::SIDE, Self::SIDE),
        });
        // A class needs an image for each of training, validation and testing.
        let sets = if self.test.is_some() { 2 } else { 3 };
        if self.validation.is_some() || self.class_counts.iter().any(|&images| images >= sets) {
            let chosen_by = ValidationMeasure::BalancedAccuracy;
            data.validation = Some(Validation { fraction: Self::VALIDATION_FRACTION, seed: 0, chosen_by });
            experiment.evaluation.keep = Keep::Best;
        }
        let images = self.training_images(experiment);
        for phase in &mut experiment.phases {
            let full = phase.batch_size;
            let fitting = (images / FEWEST_BATCHES).max(1).next_power_of_two() / 2;
            phase.batch_size = fitting.clamp(SMALLEST_BATCH.min(full), full);
            // The linear scaling rule (Goyal et al. 2017).
            *phase.optimizer.learning_rate_mut() *= phase.batch_size as f64 / full as f64;
        }
        let batch = experiment.phases.first().map_or(1, |phase| phase.batch_size);
        let epochs = STEPS / images.div_ceil(batch).max(1);
        experiment.scale_epochs(epochs.clamp(FEWEST_EPOCHS, MOST_EPOCHS));
        experiment.evaluation.every_epochs =
            experiment.phases.first().map_or(1, |phase| phase.epochs.div_ceil(EVALUATIONS));
    }

    /// Sizes of a run of `experiment`, about: rounding of hold-outs is neglected, and hashes are empty.
    pub fn facts(&self, experiment: &Experiment) -> DataFacts {
        let train_images = self.training_images(experiment);
        let held_out = self.class_counts.iter().sum::<usize>() - train_images;
        let (height, width) = experiment.data.image_size.or(self.size).unwrap_or((Self::SIDE, Self::SIDE));
        DataFacts {
            train_hash: String::new(),
            validation_hash: None,
            train_images,
            evaluated_images: held_out + self.validation.unwrap_or(0) + self.test.unwrap_or(0),
            shape: ImageShape { channels: self.channels, height, width },
            classes: self.class_counts.len(),
        }
    }
}
