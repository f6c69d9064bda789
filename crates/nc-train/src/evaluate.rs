//! Measuring a model on a whole set of images, in evaluation mode and un-augmented.

use nc_data::Loader;
use nc_metrics::{Accuracy, Calibration, ClassMeans, Classifier, NearestMeanAccumulator, NeuralCollapse};
use nc_models::{Head, Model, Pass};
use nc_record::ShotAccuracy;
use serde::{Deserialize, Serialize};

use crate::Result;

/// What a model makes of a set of images.
pub(crate) struct Measured {
    pub(crate) features: Vec<f32>,
    logits: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) dims: usize,
}

impl Measured {
    /// Passes every image of `loader` through `model`.
    pub(crate) fn of(model: &Model, loader: &Loader) -> Result<Self> {
        let mut measured =
            Self { features: vec![], logits: vec![], labels: vec![], dims: model.feature_dim() };
        for batch in loader.epoch(0) {
            let batch = batch?;
            let output = model.forward(&batch.images, Pass::EVAL)?;
            measured.features.extend(output.features.flatten_all()?.to_vec1::<f32>()?);
            measured.logits.extend(output.logits.flatten_all()?.to_vec1::<f32>()?);
            measured.labels.extend(batch.labels);
        }
        Ok(measured)
    }

    /// Accuracy, with groups by the training images of each class.
    pub(crate) fn accuracy(&self, training_counts: &[usize]) -> Result<Accuracy> {
        Ok(Accuracy::of(&self.logits, &self.labels, training_counts)?)
    }

    pub(crate) fn calibration(&self, classes: usize) -> Result<Calibration> {
        Ok(Calibration::of(&self.logits, &self.labels, classes)?)
    }

    pub(crate) fn class_means(&self, classes: usize) -> Result<ClassMeans> {
        Ok(ClassMeans::of(&self.features, &self.labels, classes, self.dims)?)
    }

    fn neural_collapse(&self, classifier: &Classifier, classes: usize) -> Result<NeuralCollapse> {
        Ok(NeuralCollapse::of(&self.features, &self.labels, classes, self.dims, Some(classifier))?)
    }
}

/// Neural collapse on both sets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Geometry {
    /// Of the training images.
    pub train: NeuralCollapse,
    /// Of the test images about their own means; NC4 alone compares with the nearest mean of the *training* features.
    pub test: NeuralCollapse,
}

impl Geometry {
    pub(crate) fn measure(
        train: &Measured,
        test: &Measured,
        head: &dyn Head,
        classes: usize,
    ) -> Result<Self> {
        let weight = head.weight()?.flatten_all()?.to_vec1::<f32>()?;
        let bias = head.bias()?.map(|bias| bias.to_vec1::<f32>()).transpose()?;
        let classifier = Classifier::new(&weight, bias.as_deref(), classes, train.dims)?;
        let training_means = train.class_means(classes)?;
        let mut nearest = NearestMeanAccumulator::new(&training_means, &classifier);
        nearest.update(&test.features, &test.labels)?;
        let of_test = test.neural_collapse(&classifier, classes)?;
        Ok(Self {
            train: train.neural_collapse(&classifier, classes)?,
            test: NeuralCollapse { nc4: Some(nearest.finish()), ..of_test },
        })
    }
}

/// The figures of an accuracy that every evaluation logs.
pub(crate) fn shot_accuracy(accuracy: &Accuracy) -> ShotAccuracy {
    ShotAccuracy { all: accuracy.top1, many: accuracy.many, medium: accuracy.medium, few: accuracy.few }
}
