//! Evaluation and export of a finished run.

use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

use candle_core::{D, Tensor};
use candle_nn::VarBuilder;
use nc_data::ImageShape;
use nc_models::{Backbone, Network};
use nc_record::{Features, InputSpec, RunDir, TestFeatures};

use crate::{
    Error, Evaluation, Result, RunOptions, RunResult,
    config::{Settings, ValidExperiment},
    data::Data,
    digest::sha256,
    inference::Inference,
    network::{build_model, resnet},
};

/// A trained network with its training and test images.
pub struct Trained {
    data: Data,
    network: Box<dyn Network>,
    options: RunOptions,
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
        let experiment = Self::experiment_of(checkpoint)?;
        if let Some(name) = &experiment.model.own_backbone {
            return Err(Error::OwnBackbone { run: checkpoint.to_owned(), name: name.clone() });
        }
        Self::read(checkpoint, &experiment, resnet(experiment.model.backbone), options)
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
        let result = Self::result_of(&directory_of(checkpoint))?;
        if let Some(result) = &result {
            check_unchanged(checkpoint, experiment, &bytes, result)?;
        }
        let damaged = |reason| nc_record::Error::Damaged { path: weights.clone(), reason };
        let input = InputSpec::of_weights(&bytes).map_err(damaged)?;
        let of_run = result.as_ref().and_then(|result| result.input.clone());
        if input.is_some() && of_run.is_some() && input != of_run {
            return Err(damaged("its metadata `input` differs from that of result.json".into()).into());
        }
        let input = input.or(of_run);
        input.as_ref().map_or(Ok(()), InputSpec::check).map_err(damaged)?;
        let (data_dir, has_input_spec) = (options.data_dir.as_deref(), input.is_some());
        let mut data = match input {
            Some(input) => Data::open_for(&experiment.data, data_dir, &input)?,
            None => Data::open(&experiment.data, data_dir)?,
        };
        if let Some(result) = result {
            data.compare_with(&result.data, has_input_spec)?;
        }
        let network = build_model(experiment, &data, &options.device, build)?;
        network
            .params()
            .load_safetensors(&bytes)
            .map_err(|source| Error::Weights { path: weights, source: Box::new(source) })?;
        Ok(Self { data, network: Box::new(network), options: options.clone() })
    }

    /// The result in the run directory; `None` if the run is not finished.
    fn result_of(directory: &Path) -> Result<Option<RunResult>> {
        if !directory.join(RunDir::RESULT).exists() {
            return Ok(None);
        }
        Ok(Some(RunDir::read_result(directory)?))
    }

    /// Notes on the images: unused files, duplicates across a split, images that differ from the run's.
    pub fn notes(&self) -> &[String] {
        &self.data.notes
    }

    /// The experiment of `checkpoint`, given as for [`Trained::open`].
    ///
    /// # Errors
    ///
    /// [`Error::NotARun`] without a configuration there; those of [`Settings::resolve`].
    pub fn experiment_of(checkpoint: &Path) -> Result<ValidExperiment> {
        let config = directory_of(checkpoint).join(RunDir::CONFIG);
        if !checkpoint.exists() || !config.exists() {
            return Err(Error::NotARun { path: checkpoint.to_owned() });
        }
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
        Inference { network: self.network.as_ref(), data: &self.data, options: &self.options }
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

/// The run's directory.
fn directory_of(checkpoint: &Path) -> PathBuf {
    let directory = if checkpoint.is_dir() { Some(checkpoint) } else { checkpoint.parent() };
    directory.map_or_else(PathBuf::new, Path::to_owned)
}

/// Checks configuration and weights of a finished run against its result. Weights files under names other than the run's do not
/// belong to the result.
fn check_unchanged(
    checkpoint: &Path,
    experiment: &ValidExperiment,
    weights: &[u8],
    result: &RunResult,
) -> Result<()> {
    let found = experiment.hash(&result.data.train_hash)?;
    if found != result.run_hash {
        let path = directory_of(checkpoint).join(RunDir::CONFIG);
        return Err(Error::ConfigChanged { path, expected: result.run_hash.clone(), found });
    }
    let name = if checkpoint.is_dir() { Some(RunDir::WEIGHTS.as_ref()) } else { checkpoint.file_name() };
    let written = match name.and_then(|name| name.to_str()) {
        Some(RunDir::WEIGHTS) => result.weights_sha256.as_ref(),
        Some(RunDir::SELECTED_WEIGHTS) => {
            result.selected_epoch.as_ref().and_then(|selected| selected.weights_sha256.as_ref())
        }
        _ => None,
    };
    if let (Some(name), Some(written)) = (name, written)
        && *written != sha256(weights)
    {
        return Err(Error::WeightsChanged { path: directory_of(checkpoint).join(name) });
    }
    Ok(())
}
