//! Evaluation and export of a finished run.

use std::path::Path;

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use nc_data::{ImageShape, LoadProgress};
use nc_models::{Backbone, Network};
use nc_record::{Features, RunDir, TestFeatures};

use crate::{
    Error, Evaluation, Result, RunOptions,
    config::{Settings, ValidExperiment},
    data::Data,
    inference::Inference,
    network::resnet,
    stored::{Stored, directory_of},
};

/// A trained network with its training and test images.
pub struct Trained {
    data: Data,
    network: Box<dyn Network>,
    options: RunOptions,
    /// Whether the run adjusted its classifier after training.
    adjusted: bool,
}

impl Trained {
    /// Opens `checkpoint`: a run directory, or a weights file next to the run's `config.toml`. Keys of the weights are
    /// parameter names as in PyTorch's `state_dict`.
    ///
    /// Classes, number of channels and normalisation are those of the run, for any images; classes are matched by name.
    /// [`Trained::notes`] reports images that differ from the run's.
    ///
    /// # Errors
    ///
    /// Those of reading the configuration, the data and the weights; each names the file. [`Error::OtherImages`] for
    /// images that do not fit the network; [`Error::ConfigChanged`] and [`Error::WeightsChanged`] for files that
    /// changed since the run finished.
    pub fn open(checkpoint: &Path, options: &RunOptions) -> Result<Self> {
        Self::open_with_progress(checkpoint, options, &mut ())
    }

    /// Like [`Trained::open`], with the `progress` of reading the images.
    ///
    /// # Errors
    ///
    /// Those of [`Trained::open`].
    pub fn open_with_progress(
        checkpoint: &Path,
        options: &RunOptions,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let experiment = Self::experiment_of(checkpoint)?;
        if let Some(name) = &experiment.model.own_backbone {
            return Err(Error::OwnBackbone { run: checkpoint.to_owned(), name: name.clone() });
        }
        Self::read(checkpoint, &experiment, resnet(experiment.model.backbone), options, progress)
    }

    /// Like [`Trained::open`], for a run of [`train_backbone`](crate::train_backbone) with the same `build`.
    ///
    /// # Errors
    ///
    /// Those of [`Trained::open`] and `build`; [`Error::Weights`] for weights of another backbone.
    pub fn open_with(
        checkpoint: &Path,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
        options: &RunOptions,
    ) -> Result<Self> {
        Self::read(checkpoint, &Self::experiment_of(checkpoint)?, build, options, &mut ())
    }

    fn read(
        checkpoint: &Path,
        experiment: &ValidExperiment,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
        options: &RunOptions,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let stored = Stored::read(checkpoint, experiment)?;
        let data_dir = options.data_dir.as_deref();
        let mut data = match &stored.input {
            Some(input) => Data::open_for(&experiment.data, data_dir, input, progress)?,
            None => Data::open(&experiment.data, data_dir, progress)?,
        };
        if let Some(result) = &stored.result {
            data.compare_with(&result.data, stored.input.is_some())?;
        }
        let (shape, classes) = (data.train.dataset().shape(), data.class_counts.len());
        let network = stored.network(experiment, shape, classes, &options.device, build)?;
        Ok(Self { data, network, options: options.clone(), adjusted: experiment.post_hoc.is_some() })
    }

    /// Notes on the images: unused files, duplicates across a split, images that differ from the run's.
    pub fn notes(&self) -> &[String] {
        &self.data.notes
    }

    /// The experiment of `checkpoint`, given as for [`Trained::open`].
    ///
    /// # Errors
    ///
    /// [`Error::NotARun`] without a configuration there; [`Error::Read`] for a missing weights file; those of
    /// [`Settings::resolve`].
    pub fn experiment_of(checkpoint: &Path) -> Result<ValidExperiment> {
        let config = directory_of(checkpoint).join(RunDir::CONFIG);
        if !config.exists() {
            return Err(Error::NotARun { path: checkpoint.to_owned() });
        }
        std::fs::metadata(checkpoint)
            .map_err(|source| Error::Read { path: checkpoint.to_owned(), source })?;
        Settings { config: Some(&config), ..Settings::default() }.resolve()
    }

    /// Evaluates the network on the training subset and the test set.
    ///
    /// # Errors
    ///
    /// Those of the data, the network and the metrics.
    pub fn evaluate(&self) -> Result<Evaluation> {
        Ok(self.inference().evaluate()?.0)
    }

    fn inference(&self) -> Inference<'_> {
        Inference {
            network: self.network.as_ref(),
            data: &self.data,
            options: &self.options,
            adjusted: self.adjusted,
            replacement: None,
        }
    }

    /// Test accuracy, from 0 to 1, with Gaussian noise of standard deviation `std` added to the normalised images, as
    /// in Table 6 of the paper. `seed` seeds the noise.
    ///
    /// # Errors
    ///
    /// Those of the data and the network.
    pub fn accuracy_under_noise(&self, std: f64, seed: u64) -> Result<f64> {
        let loader =
            self.data.sequential(&self.data.test, self.options.loader_threads, &self.options.device)?;
        let (mut right, mut seen) = (0, 0);
        for batch in loader.epoch(0) {
            for view in batch?.views {
                let dims = view.images.dims().to_vec();
                let mut images = view.images.flatten_all()?.to_vec1::<f32>()?;
                nc_data::add_gaussian(&mut images, dims[1..].iter().product(), std, seed, seen);
                let images = Tensor::from_vec(images, dims, &self.options.device)?;
                let logits = self.network.infer(&images)?.logits;
                let logits = logits.ok_or(Error::NoClassifier { needed_by: "accuracy under noise" })?;
                let decisions = logits.argmax(D::Minus1)?.to_vec1::<u32>()?;
                right +=
                    decisions.iter().zip(&view.labels).filter(|(decision, label)| decision == label).count();
                seen += view.labels.len();
            }
        }
        Ok(right as f64 / seen as f64)
    }

    /// Training and test features, and the classifier.
    ///
    /// # Errors
    ///
    /// Those of the data and the network.
    pub fn features(&self) -> Result<Features> {
        let inference = self.inference();
        let (train, test) = (inference.outputs(&self.data.train)?, inference.outputs(&self.data.test)?);
        let classifier = inference.affine("export")?;
        let class_counts = self.data.class_counts.clone();
        Ok(Features {
            classes: class_counts.len(),
            dims: self.network.feature_dim(),
            features: train.features.into(),
            labels: train.labels,
            weight: Some(classifier.weight.flatten_all()?.to_vec1::<f32>()?.into()),
            bias: classifier.bias.map(|bias| bias.to_vec1::<f32>()).transpose()?.map(Into::into),
            class_counts: Some(class_counts),
            class_names: Some(self.data.train.dataset().class_names().to_vec()),
            test: Some(TestFeatures { features: test.features.into(), labels: test.labels }),
            ignored: vec![],
        })
    }
}
