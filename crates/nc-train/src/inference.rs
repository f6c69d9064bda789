//! Evaluation of a network on whole image sets, without augmentation.

use candle_core::{Device, Tensor};
use nc_data::Subset;
use nc_metrics::{Accuracy, Calibration, ClassMeans, FeatureSet, Geometry, Projection, Samples};
use nc_models::{Network, Pass};
use nc_record::{Expert, ShotAccuracy, figures};
use serde::Serialize;

use crate::{
    Error, Result, RunOptions,
    config::Space,
    data::Data,
    post_hoc::{Facts, NearestClassMean, PostHoc, ValidationSet},
};

/// Metrics of a network on its training and test images, in evaluation mode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evaluation {
    /// Training images per class.
    pub class_counts: Vec<usize>,
    /// Class names.
    pub class_names: Vec<String>,
    /// Test accuracy.
    pub accuracy: Accuracy,
    /// Calibration on the test images.
    pub calibration: Calibration,
    /// Neural collapse of training and test features.
    pub nc: Geometry,
    /// The experts of a network of several, unless a post-hoc adjustment replaced their classifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub experts: Vec<Expert>,
}

/// A network with the data of its run.
#[derive(Clone, Copy)]
pub(crate) struct Inference<'a> {
    pub(crate) network: &'a dyn Network,
    pub(crate) data: &'a Data,
    pub(crate) options: &'a RunOptions,
    /// Whether a post-hoc adjustment replaced the classifier; then the experts have none of their own.
    pub(crate) adjusted: bool,
    /// Classifier in place of the network's, if a phase does not train that.
    pub(crate) replacement: Option<&'a nc_models::Classifier>,
}

impl Inference<'_> {
    /// Features and logits of every image of `subset`.
    pub(crate) fn outputs(&self, subset: &Subset) -> Result<Outputs> {
        let loader = self.data.sequential(subset, self.options.loader_threads, &self.options.device)?;
        let mut outputs =
            Outputs { features: vec![], logits: vec![], labels: vec![], dims: self.network.feature_dim() };
        for batch in loader.epoch(0) {
            for view in batch?.views {
                let output = self.network.infer(&view.images)?;
                let logits = match self.replacement {
                    Some(classifier) => classifier.logits(&output.features)?,
                    None => output.logits.ok_or(Error::NoClassifier { needed_by: "evaluation" })?,
                };
                outputs.features.extend(output.features.flatten_all()?.to_vec1::<f32>()?);
                outputs.logits.extend(logits.flatten_all()?.to_vec1::<f32>()?);
                outputs.labels.extend(view.labels);
            }
        }
        Ok(outputs)
    }

    /// Class means of each branch's vectors on the training images.
    pub(crate) fn branch_means(&self, space: Space) -> Result<Vec<Tensor>> {
        let subset = &self.data.train;
        let loader = self.data.sequential(subset, self.options.loader_threads, &self.options.device)?;
        let (mut features, mut labels): (Vec<Vec<f32>>, _) = (vec![], vec![]);
        for batch in loader.epoch(0) {
            for view in batch?.views {
                let branches = self.network.forward_views(&[&view.images], Pass::EVAL)?;
                features.resize(branches.len(), vec![]);
                for (all, branch) in features.iter_mut().zip(branches) {
                    let vectors = match space {
                        Space::Features => branch.features,
                        Space::Embeddings => branch.embedding.ok_or(Error::NoProjection)?.detach(),
                    };
                    all.extend(vectors.flatten_all()?.to_vec1::<f32>()?);
                }
                labels.extend(view.labels);
            }
        }
        features.into_iter().map(|features| self.means(&features, &labels)).collect()
    }

    /// Class means (K, P) of `features` (N, P), flattened.
    fn means(&self, features: &[f32], labels: &[u32]) -> Result<Tensor> {
        let (classes, dims) = (self.data.class_counts.len(), features.len() / labels.len());
        let means = ClassMeans::of(features, labels, classes, dims)?;
        let means: Vec<f32> = means.means().iter().map(|&x| x as f32).collect();
        Ok(Tensor::from_vec(means, (classes, dims), &self.options.device)?)
    }

    /// The nearest-class-mean classifier of the training images with these `outputs`.
    pub(crate) fn nearest_class_mean(&self, outputs: &Outputs) -> Result<nc_models::Classifier> {
        Ok(NearestClassMean::of(self.means(&outputs.features, &outputs.labels)?)?)
    }

    /// The effective classifier of features.
    pub(crate) fn classifier(&self) -> Result<nc_metrics::Classifier> {
        on_host(&self.affine("evaluation")?)
    }

    /// The effective classifier of features, as tensors.
    pub(crate) fn affine(&self, needed_by: &'static str) -> Result<nc_models::Classifier> {
        self.network.classifier()?.ok_or(Error::NoClassifier { needed_by })
    }

    /// Metrics on training and test images, and the projection of the training features.
    pub(crate) fn evaluate(&self) -> Result<(Evaluation, Option<Projection>)> {
        self.evaluate_outputs(&self.outputs(&self.data.train)?, &self.outputs(&self.data.test)?)
    }

    /// [`Inference::evaluate`] from given network outputs.
    pub(crate) fn evaluate_outputs(
        &self,
        train: &Outputs,
        test: &Outputs,
    ) -> Result<(Evaluation, Option<Projection>)> {
        let class_counts = self.data.class_counts.clone();
        let classifier = self.classifier()?;
        let evaluation = Evaluation {
            accuracy: test.accuracy(&class_counts)?,
            calibration: test.calibration(class_counts.len())?,
            nc: geometry(train, test, Some(&classifier), &class_counts)?,
            experts: if self.adjusted { vec![] } else { self.experts(train, test)? },
            class_names: self.data.train.dataset().class_names().to_vec(),
            class_counts,
        };
        Ok((evaluation, projection(train, &classifier)?))
    }

    /// Each of several experts alone; empty for other networks.
    fn experts(&self, train: &Outputs, test: &Outputs) -> Result<Vec<Expert>> {
        let heads = self.network.heads();
        if heads.len() < 2 {
            return Ok(vec![]);
        }
        let (counts, device) = (&self.data.class_counts, &self.options.device);
        let (mut measured, mut decisions) = (vec![], vec![]);
        for (number, head) in heads.iter().enumerate() {
            let classifier = nc_models::Classifier { weight: head.weight()?, bias: head.bias()? };
            let of_expert = |outputs: &Outputs| outputs.of_expert(number, heads.len(), &classifier, device);
            let (train, test) = (of_expert(train)?, of_expert(test)?);
            let nc = geometry(&train, &test, Some(&on_host(&classifier)?), counts)?;
            decisions.push(nc_metrics::predictions(&test.logits, counts.len())?);
            measured.push((shot_accuracy(&test.accuracy(counts)?), nc));
        }
        let agreement = |one: &[u32], other: &[u32]| {
            one.iter().zip(other).filter(|(a, b)| a == b).count() as f64 / one.len() as f64
        };
        let experts = measured.into_iter().zip(&decisions).map(|((test_accuracy, nc), own)| Expert {
            test_accuracy,
            agreement: decisions.iter().map(|other| agreement(own, other)).collect(),
            train: figures(&nc.train),
            test: figures(&nc.test),
        });
        Ok(experts.collect())
    }

    /// The classifier after the adjustment `post_hoc`.
    pub(crate) fn adjusted(&self, post_hoc: &PostHoc) -> Result<nc_models::Classifier> {
        let nc_models::Classifier { weight, bias } = self.affine("post-hoc adjustment")?;
        let Some(bias) = bias else {
            return Err(Error::setting("post_hoc", "requires a linear classifier with biases, found none"));
        };
        post_hoc.as_adjustment().adjusted(&weight, &bias, self)
    }
}

impl Facts for Inference<'_> {
    fn class_counts(&self) -> &[usize] {
        self.data.train.class_counts()
    }

    fn class_means(&self) -> Result<Tensor> {
        let Outputs { features, labels, .. } = self.outputs(&self.data.train)?;
        self.means(&features, &labels)
    }

    fn validation(&self) -> Result<Option<ValidationSet>> {
        let Some((validation, chosen_by)) = &self.data.validation else { return Ok(None) };
        let Outputs { features, labels, dims, .. } = self.outputs(validation)?;
        let features = Tensor::from_vec(features, (labels.len(), dims), &self.options.device)?;
        Ok(Some(ValidationSet { features, labels, chosen_by: *chosen_by }))
    }
}

/// Features, logits and labels of an image set.
pub(crate) struct Outputs {
    pub(crate) features: Vec<f32>,
    pub(crate) logits: Vec<f32>,
    pub(crate) labels: Vec<u32>,
    dims: usize,
}

impl Outputs {
    /// Accuracy, with shot groups by `training_counts`.
    pub(crate) fn accuracy(&self, training_counts: &[usize]) -> Result<Accuracy> {
        Ok(Accuracy::of(&self.logits, &self.labels, training_counts)?)
    }

    fn calibration(&self, classes: usize) -> Result<Calibration> {
        Ok(Calibration::of(&self.logits, &self.labels, classes)?)
    }

    fn class_means(&self, classes: usize) -> Result<ClassMeans> {
        Ok(ClassMeans::of(&self.features, &self.labels, classes, self.dims)?)
    }

    /// Part `number` of the features, which are divided into `parts` equal ones.
    pub(crate) fn part(&self, number: usize, parts: usize) -> Vec<f32> {
        let dims = self.dims / parts;
        let rows = self.features.chunks_exact(self.dims);
        rows.flat_map(|row| &row[number * dims..][..dims]).copied().collect()
    }

    /// Outputs of one of `experts` experts with this `classifier`, which divide the features into equal parts.
    fn of_expert(
        &self,
        number: usize,
        experts: usize,
        classifier: &nc_models::Classifier,
        device: &Device,
    ) -> Result<Self> {
        let (features, dims) = (self.part(number, experts), self.dims / experts);
        let logits = classifier.logits(&Tensor::from_slice(&features, (self.labels.len(), dims), device)?)?;
        let logits = logits.flatten_all()?.to_vec1::<f32>()?;
        Ok(Self { features, logits, labels: self.labels.clone(), dims })
    }

    fn samples(&self) -> Samples<'_> {
        Samples { features: &self.features, labels: &self.labels }
    }
}

/// A classifier with its values on the host.
fn on_host(classifier: &nc_models::Classifier) -> Result<nc_metrics::Classifier> {
    let (classes, dims) = classifier.weight.dims2()?;
    let bias = classifier.bias.as_ref().map(Tensor::to_vec1::<f32>).transpose()?;
    let weight = classifier.weight.flatten_all()?.to_vec1::<f32>()?;
    Ok(nc_metrics::Classifier::new(&weight, bias.as_deref(), classes, dims)?)
}

/// Neural-collapse metrics of all training images and of the test images.
pub(crate) fn geometry(
    train: &Outputs,
    test: &Outputs,
    classifier: Option<&nc_metrics::Classifier>,
    training_counts: &[usize],
) -> Result<Geometry> {
    let set = FeatureSet {
        classes: training_counts.len(),
        dims: train.dims,
        train: train.samples(),
        test: Some(test.samples()),
        classifier,
        training_counts: Some(training_counts),
    };
    Ok(set.geometry()?)
}

/// Two-dimensional projection of the training features, if defined.
fn projection(train: &Outputs, classifier: &nc_metrics::Classifier) -> Result<Option<Projection>> {
    const SAMPLES: usize = 1000;
    let means = train.class_means(classifier.bias().len())?;
    Ok(Projection::of(train.samples(), &means, Some(classifier), SAMPLES)?)
}

/// The accuracies logged by each evaluation.
pub(crate) fn shot_accuracy(accuracy: &Accuracy) -> ShotAccuracy {
    let balanced = Some(accuracy.balanced);
    ShotAccuracy {
        all: accuracy.top1,
        balanced,
        many: accuracy.many,
        medium: accuracy.medium,
        few: accuracy.few,
    }
}
