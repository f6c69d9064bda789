//! Estimate of a run's duration.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use candle_core::{DType, Device, Tensor};
use nc_data::{Batch, ImageShape, LoadProgress, View};
use nc_models::HeadConfig;

use crate::{
    Learner, Result,
    config::{DataConfig, Experiment, FrozenBatchNorm, MOST_EPOCHS, Phase, Trains},
    data::Data,
    network::{build_model, resnet},
};

/// Sizes and hash of a run's data, without the images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFacts {
    /// Hash of the training subset.
    pub train_hash: String,
    /// Hash of the test images; empty if unknown.
    pub test_hash: String,
    /// Hash of the validation images, if any.
    pub validation_hash: Option<String>,
    /// Images in the training subset.
    pub train_images: usize,
    /// Images per evaluation during training: test and validation images.
    pub evaluated_images: usize,
    /// Shape of an image.
    pub shape: ImageShape,
    /// Number of classes K.
    pub classes: usize,
}

impl DataFacts {
    /// Reads the data, with its `progress`, and draws the training subset.
    ///
    /// # Errors
    ///
    /// Those of reading and drawing; each names the file or the setting.
    pub fn read(
        config: &DataConfig,
        data_dir: Option<&Path>,
        progress: &mut dyn LoadProgress,
    ) -> Result<Self> {
        let data = Data::open(config, data_dir, progress)?;
        Ok(Self {
            train_hash: data.train.hash().to_owned(),
            test_hash: data.test.hash().to_owned(),
            validation_hash: data.validation.as_ref().map(|(subset, _)| subset.hash().to_owned()),
            train_images: data.train.len(),
            evaluated_images: data.test.len()
                + data.validation.as_ref().map_or(0, |(subset, _)| subset.len()),
            shape: data.train.dataset().shape(),
            classes: data.train.class_counts().len(),
        })
    }
}

impl DataFacts {
    /// Hash of the run of `experiment` on this data.
    ///
    /// # Errors
    ///
    /// Those of [`Experiment::hash`].
    pub fn run_hash(&self, experiment: &Experiment) -> Result<String> {
        let decides = experiment.decided_by_validation().is_some();
        let validation = self.validation_hash.as_deref().filter(|_| decides).unwrap_or_default();
        experiment.hash(&format!("{}{validation}", self.train_hash))
    }
}

/// Throughput of one backbone on one machine, in images per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Speed {
    /// Training throughput.
    pub training: f64,
    /// Throughput without gradients.
    pub evaluation: f64,
}

impl Speed {
    /// Times up to three steps of the backbone of `experiment` on zero images.
    ///
    /// # Errors
    ///
    /// Those of the network and the device.
    pub fn measure(experiment: &Experiment, data: &DataFacts, device: &Device) -> Result<Self> {
        experiment.model.precision.check(device)?;
        let Some(mut phase) = experiment.phases.first().cloned() else {
            return Ok(Self { training: 1.0, evaluation: 1.0 });
        };
        // Phases with a frozen backbone are estimated by the evaluation throughput, passes of SAM by their number.
        (phase.trains, phase.batch_norm, phase.sam_rho) = (Trains::Everything, FrozenBatchNorm::Running, 0.0);
        let ImageShape { channels, height, width } = data.shape;
        let mut plain = experiment.clone();
        (plain.model.head, plain.model.normalize_features) = (HeadConfig::Linear, false);
        let build = resnet(plain.model.backbone);
        let network = build_model(&plain, data.shape, data.classes, device, build)?;
        let images = Tensor::zeros((phase.batch_size, channels, height, width), DType::F32, device)?;
        let (labels, positions) = (vec![0; phase.batch_size], vec![0; phase.batch_size]);
        let view = View { images: images.clone(), labels, positions, mix: None };
        let views = phase.views.len().max(1 + usize::from(phase.second_sampler.is_some()));
        let batch = Batch { views: vec![view; views] };
        let mut learner =
            Learner::new(network, &vec![1; data.classes]).in_precision(experiment.model.precision.into());
        learner.begin_phase(&phase)?;
        let training = rate(phase.batch_size, || learner.step(&batch, 1e-3).map(drop))?;
        let evaluation = rate(phase.batch_size, || {
            learner.network()?.infer(&images)?.features.to_vec2::<f32>()?;
            Ok(())
        })?;
        Ok(Self { training, evaluation })
    }

    /// Runs of the same kind have the same speed.
    pub(crate) fn kind(experiment: &Experiment, data: &DataFacts) -> String {
        let model = &experiment.model;
        let (network, phase) =
            ((model.backbone, &model.branches, model.precision), experiment.phases.first());
        let phase = phase.map(|phase| {
            (phase.batch_size, phase.views.len(), phase.second_sampler, &phase.objective.contrast)
        });
        format!("{network:?} {:?} {phase:?}", data.shape)
    }

    /// Estimated seconds of phases `first..` of `experiment`, evaluations included.
    pub fn seconds(&self, experiment: &Experiment, first: usize, data: &DataFacts) -> f64 {
        let phases = experiment.phases.iter().skip(first);
        let at_the_end = (data.train_images + data.evaluated_images) as f64 / self.evaluation;
        let of_phase = |phase: &Phase| {
            let passes = if phase.sam_rho > 0.0 { 2 } else { 1 };
            let estimation = usize::from(phase.batch_norm == FrozenBatchNorm::ReEstimated);
            let images = ((phase.epochs * passes + estimation) * data.train_images) as f64;
            let evaluations = phase.epochs.div_ceil(experiment.evaluation.every_epochs);
            let speed = if phase.trains == Trains::Everything { self.training } else { self.evaluation };
            // Neural collapse is also measured on the training images, and an average of the weights is evaluated, too.
            let of_average = if phase.weight_average.is_some() { data.evaluated_images } else { 0 };
            let looked_at = evaluations * (data.evaluated_images + data.train_images + of_average);
            images / speed + looked_at as f64 / self.evaluation
        };
        phases.map(of_phase).sum::<f64>() + at_the_end
    }
}

/// The most epochs for which `estimate`, which grows with the epochs, gives at most `seconds`; at least 1.
///
/// ```
/// assert_eq!(nc_train::epochs_within(100.0, |epochs| 5.0 + 10.0 * epochs as f64), 9);
/// assert_eq!(nc_train::epochs_within(1.0, |epochs| 10.0 * epochs as f64), 1);
/// ```
pub fn epochs_within(seconds: f64, estimate: impl Fn(usize) -> f64) -> usize {
    let (mut fits, mut exceeds) = (1, MOST_EPOCHS + 1);
    while exceeds - fits > 1 {
        let middle = usize::midpoint(fits, exceeds);
        if estimate(middle) <= seconds {
            fits = middle;
        } else {
            exceeds = middle;
        }
    }
    fits
}

/// Images per second over up to three calls of `step`, after one untimed warm-up call; fewer if they take seconds.
fn rate(batch: usize, mut step: impl FnMut() -> Result<()>) -> Result<f64> {
    const MOST_STEPS: usize = 3;
    const ENOUGH: Duration = Duration::from_secs(2);
    step()?;
    let (started, mut steps) = (Instant::now(), 0);
    while steps < MOST_STEPS && (steps == 0 || started.elapsed() < ENOUGH) {
        step()?;
        steps += 1;
    }
    Ok((batch * steps) as f64 / started.elapsed().as_secs_f64())
}
