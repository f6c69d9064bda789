//! The network of a finished run, to be evaluated or exported.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Network};
use nc_record::{Features, RunDir, TestFeatures};

use crate::{
    Error, Evaluation, Result, RunOptions,
    config::{Settings, ValidExperiment},
    data::Data,
    inference::Inference,
    network::{build_model, resnet},
};

/// A trained model with the data it was trained and is tested on.
pub struct Trained {
    data: Data,
    network: Box<dyn Network>,
    options: RunOptions,
}

impl Trained {
    /// Opens `checkpoint`: a run directory, whose `weights.safetensors` is taken, or a weights file (with the
    /// parameters' names as keys, as PyTorch's `state_dict` has them) beside its run's `config.toml`.
    ///
    /// # Errors
    ///
    /// Those of reading the configuration, the data and the weights; each names the file.
    pub fn open(checkpoint: &Path, options: &RunOptions) -> Result<Self> {
        let experiment = Self::experiment_of(checkpoint)?;
        if let Some(name) = &experiment.model.own_backbone {
            return Err(Error::OwnBackbone { run: checkpoint.to_owned(), name: name.clone() });
        }
        Self::read(checkpoint, &experiment, resnet(experiment.model.backbone), options)
    }

    /// Like [`Trained::open`], for a run of [`train_backbone`](crate::train_backbone): with the `build` that it was trained
    /// with.
    ///
    /// # Errors
    ///
    /// Those of [`Trained::open`], and of `build`; [`Error::Weights`] if the weights are those of another backbone.
    pub fn open_with(
        checkpoint: &Path,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
        options: &RunOptions,
    ) -> Result<Self> {
        Self::read(checkpoint, &Self::experiment_of(checkpoint)?, build, options)
    }

    fn read(
        checkpoint: &Path,
        experiment: &ValidExperiment,
        build: impl FnOnce(&VarBuilder<'_>, ImageShape) -> nc_models::Result<Box<dyn Backbone>>,
        options: &RunOptions,
    ) -> Result<Self> {
        let run = checkpoint.is_dir();
        let weights = if run { checkpoint.join(RunDir::WEIGHTS) } else { checkpoint.to_owned() };
        let bytes = std::fs::read(&weights).map_err(|source| match source.kind() {
            ErrorKind::NotFound if run && checkpoint.join(RunDir::RESULT).exists() => {
                Error::WeightsGone { run: checkpoint.to_owned() }
            }
            ErrorKind::NotFound if run => Error::NoWeights { run: checkpoint.to_owned() },
            _ => Error::Read { path: weights.clone(), source },
        })?;
        let data = Data::open(&experiment.data, options.data_dir.as_deref())?;
        let network = build_model(experiment, &data, &options.device, build)?;
        network
            .params()
            .load_safetensors(&bytes)
            .map_err(|source| Error::Weights { path: weights, source: Box::new(source) })?;
        Ok(Self { data, network: Box::new(network), options: options.clone() })
    }

    /// The experiment that `checkpoint`, as [`Trained::open`] takes it, comes from.
    ///
    /// # Errors
    ///
    /// [`Error::NotARun`] if no configuration lies there; those of [`Settings::resolve`].
    pub fn experiment_of(checkpoint: &Path) -> Result<ValidExperiment> {
        let directory = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
        let config = directory.map_or_else(PathBuf::new, Path::to_owned).join(RunDir::CONFIG);
        if !checkpoint.exists() || !config.exists() {
            return Err(Error::NotARun { path: checkpoint.to_owned() });
        }
        Settings { config: Some(&config), ..Settings::default() }.resolve()
    }

    /// Measures it on its training subset and test set.
    ///
    /// # Errors
    ///
    /// Those of the data, the network and the measures.
    pub fn evaluate(&self) -> Result<Evaluation> {
        Ok(self.inference().evaluate()?.0)
    }

    fn inference(&self) -> Inference<'_> {
        Inference { network: self.network.as_ref(), data: &self.data, options: &self.options }
    }

    /// The share of test images it decides right when Gaussian noise of standard deviation `std` is added to them after
    /// normalisation, as in Table 6 of the paper. The noise is keyed by the experiment's `seed`.
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

    /// Its features on both sets, and its classifier.
    ///
    /// # Errors
    ///
    /// Those of the data and the network.
    pub fn features(&self) -> Result<Features> {
        let inference = self.inference();
        let (train, test) = (inference.outputs(&self.data.train)?, inference.outputs(&self.data.test)?);
        let classifier = inference.affine("export")?;
        let class_counts = self.data.train.class_counts().to_vec();
        Ok(Features {
            classes: class_counts.len(),
            dims: self.network.feature_dim(),
            features: train.features.into(),
            labels: train.labels,
            weight: Some(classifier.weight.flatten_all()?.to_vec1::<f32>()?.into()),
            bias: classifier.bias.map(|bias| bias.to_vec1::<f32>()).transpose()?.map(Into::into),
            class_counts: Some(class_counts),
            class_names: None,
            test: Some(TestFeatures { features: test.features.into(), labels: test.labels }),
            ignored: vec![],
        })
    }
}
