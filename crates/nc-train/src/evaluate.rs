//! Measuring a model on a whole set of images, in evaluation mode and un-augmented.

use nc_data::{Loader, Subset};
use nc_metrics::{Accuracy, Calibration, ClassMeans, Classifier, FeatureSet, Geometry, Projection, Samples};
use nc_models::{Model, Pass};
use nc_record::ShotAccuracy;

use serde::Serialize;

use crate::{Result, RunOptions, data::Data};

/// What a model is worth, on whole sets of images in evaluation mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Images of each class it was trained on.
    pub class_counts: Vec<usize>,
    /// On the test images.
    pub accuracy: Accuracy,
    /// On the test images.
    pub calibration: Calibration,
    /// On both sets.
    pub nc: Geometry,
}

/// What a model makes of a set of images.
pub(crate) struct Outputs {
    pub(crate) features: Vec<f32>,
    logits: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    pub(crate) dims: usize,
}

impl Outputs {
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

    fn samples(&self) -> Samples<'_> {
        Samples { features: &self.features, labels: &self.labels }
    }
}

/// The classifier of `model`.
pub(crate) fn classifier(model: &Model) -> Result<Classifier> {
    let head = model.head();
    let weight = head.weight()?;
    let (classes, dims) = weight.dims2()?;
    let bias = head.bias()?.map(|bias| bias.to_vec1::<f32>()).transpose()?;
    Ok(Classifier::new(&weight.flatten_all()?.to_vec1::<f32>()?, bias.as_deref(), classes, dims)?)
}

/// Neural collapse of the training images, all of them, and of the test images.
pub(crate) fn geometry(train: &Outputs, test: &Outputs, classifier: &Classifier) -> Result<Geometry> {
    let set = FeatureSet {
        classes: classifier.bias().len(),
        dims: train.dims,
        train: train.samples(),
        test: Some(test.samples()),
        classifier: Some(classifier),
        training_counts: None,
    };
    Ok(set.geometry()?)
}

/// Training features in the plane, if there is one.
pub(crate) fn projection(train: &Outputs, classifier: &Classifier) -> Result<Option<Projection>> {
    const SAMPLES: usize = 1000;
    let means = train.class_means(classifier.bias().len())?;
    Ok(Projection::of(train.samples(), &means, Some(classifier), SAMPLES)?)
}

/// The figures of an accuracy that every evaluation logs.
pub(crate) fn shot_accuracy(accuracy: &Accuracy) -> ShotAccuracy {
    ShotAccuracy { all: accuracy.top1, many: accuracy.many, medium: accuracy.medium, few: accuracy.few }
}

/// Measures `model` on the training subset and the test set of `data`; also gives its training features in the plane.
pub(crate) fn evaluate(
    model: &Model,
    data: &Data,
    options: &RunOptions,
) -> Result<(Evaluation, Option<Projection>)> {
    let (train, test) = outputs(model, data, options)?;
    let class_counts = data.train.class_counts().to_vec();
    let classifier = classifier(model)?;
    let evaluation = Evaluation {
        accuracy: test.accuracy(&class_counts)?,
        calibration: test.calibration(class_counts.len())?,
        nc: geometry(&train, &test, &classifier)?,
        class_counts,
    };
    Ok((evaluation, projection(&train, &classifier)?))
}

/// The training subset and the test set of `data` as `model` sees them.
pub(crate) fn outputs(model: &Model, data: &Data, options: &RunOptions) -> Result<(Outputs, Outputs)> {
    let of = |subset: &Subset| {
        Outputs::of(model, &data.sequential(subset, options.loader_threads, &options.device)?)
    };
    Ok((of(&data.train)?, of(&data.test)?))
}
