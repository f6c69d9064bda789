use nc_record::{BestEpoch, DataSummary, FORMAT_VERSION, NetworkSummary, ProgramSummary, Timing};
use nc_train::{BackboneKind, Experiment, RunResult};
use serde::{Deserialize, Serialize};

use crate::{Job, Result, Scale};

/// What stands of a finished run in the results directory: small enough to be kept with the code, and whole enough to
/// make every table and figure from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of the record.
    pub format_version: u32,
    /// How long the run was.
    pub scale: Scale,
    /// The preset.
    pub preset: String,
    /// The seed.
    pub seed: u64,
    /// [`Job::key`].
    pub key: String,
    /// Hash of configuration and training subset.
    pub run_hash: String,
    /// The command that repeats the run.
    pub command: String,
    /// The data it was trained and tested on.
    pub data: DataSummary,
    /// The size of the network; none in records of earlier versions, like the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSummary>,
    /// The program that trained it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSummary>,
    /// Epochs of each phase.
    pub epochs: Vec<usize>,
    /// Accuracy after the last epoch on the whole test set.
    pub accuracy: AccuracySummary,
    /// Test accuracy with Gaussian noise on the images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<NoisyAccuracy>,
    /// The best test accuracy seen during training: for comparison, never the figure to report.
    pub best_epoch: Option<BestEpoch>,
    /// Of the training features after the last epoch.
    pub geometry: GeometrySummary,
    /// Wall time.
    pub timing: Timing,
    /// The whole configuration, as TOML.
    pub config: String,
}

/// Accuracy as shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracySummary {
    /// Of all test images.
    pub top1: f64,
    /// Of classes with more than 100 training images.
    pub many: Option<f64>,
    /// Of classes with 20 to 100.
    pub medium: Option<f64>,
    /// Of classes with fewer than 20.
    pub few: Option<f64>,
    /// Of each class.
    pub per_class: Vec<Option<f64>>,
}

/// Accuracy under noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyAccuracy {
    /// Standard deviation of the noise.
    pub std: f64,
    /// Share of all test images.
    pub top1: f64,
}

/// Neural collapse of training features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeometrySummary {
    /// NC1, trace of within over between, each sample the same.
    pub nc1: Option<f64>,
    /// Mean over classes of the angle to the nearest other class mean.
    pub mean_nearest_angle_degrees: Option<f64>,
    /// The smallest angle.
    pub min_angle_degrees: Option<f64>,
    /// NC3, squared distance of the normalised classifier from the normalised means.
    pub nc3: Option<f64>,
    /// NC4, share of samples that classifier and nearest mean decide differently.
    pub nc4: Option<f64>,
    /// Norms of the centred class means, by class.
    pub norms: Vec<f64>,
    /// Angles between the centred class means, by class; of at most 20 classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub angles_degrees: Vec<Vec<f64>>,
}

/// More classes than this have too many angles to keep.
const MANY: usize = 20;

impl Record {
    pub(crate) fn new(
        job: &Job,
        scale: Scale,
        result: &RunResult,
        noise: Vec<NoisyAccuracy>,
    ) -> Result<Self> {
        let (accuracy, nc) = (&result.accuracy, &result.nc.train);
        let means = &nc.nc2.centered_means;
        let angles =
            |row: &Vec<f64>| row.iter().map(|cos| cos.clamp(-1.0, 1.0).acos().to_degrees()).collect();
        Ok(Self {
            format_version: FORMAT_VERSION,
            scale,
            preset: job.preset.clone(),
            seed: result.seed,
            key: job.key.clone(),
            run_hash: result.run_hash.clone(),
            command: job.command(scale),
            data: result.data.clone(),
            network: result.network.clone(),
            program: result.program.clone(),
            epochs: result.epochs.clone(),
            accuracy: AccuracySummary {
                top1: accuracy.top1,
                many: accuracy.many,
                medium: accuracy.medium,
                few: accuracy.few,
                per_class: accuracy.per_class.clone(),
            },
            noise,
            best_epoch: result.best_epoch.clone(),
            geometry: GeometrySummary {
                nc1: nc.nc1.trace.sample_weighted,
                mean_nearest_angle_degrees: means.mean_nearest_angle_degrees,
                min_angle_degrees: means.min_angle_degrees,
                nc3: nc.nc3.as_ref().and_then(|nc3| nc3.duality_gap_squared),
                nc4: nc.nc4.and_then(|nc4| nc4.mismatch),
                norms: means.norms.clone(),
                angles_degrees: if means.norms.len() <= MANY {
                    means.cosines.iter().map(angles).collect()
                } else {
                    vec![]
                },
            },
            timing: result.timing,
            config: job.experiment.to_toml()?,
        })
    }

    /// True if the record has every figure that `job` measures.
    pub(crate) fn completes(&self, job: &Job) -> bool {
        self.has_noise(&job.noise)
    }

    /// True if the record has accuracy under each of these noise levels.
    pub(crate) fn has_noise(&self, stds: &[f64]) -> bool {
        stds.iter().all(|&std| self.percent(Some(std)).is_some())
    }

    /// The feature dimension P: the channels of the last stage.
    pub(crate) fn feature_dim(&self) -> Option<usize> {
        if let Some(network) = &self.network {
            return network.channels.last().copied();
        }
        // Earlier records do not state the channels.
        let config: Experiment = toml::from_str(&self.config).ok()?;
        Some(match config.model.backbone {
            BackboneKind::ResNet18 => 512,
            BackboneKind::WideResNet32 => 128,
            _ => 64,
        })
    }

    /// The file it stands in.
    pub(crate) fn file_name(&self) -> String {
        let preset = self.preset.replace(['/', '+', ' '], "-").replace(['(', ')'], "");
        format!("{preset}-seed{}-{}.json", self.seed, self.key.get(..8).unwrap_or(&self.key))
    }

    /// Checks that figures by class have all classes, as tables and figures assume, and that shares are from 0 to 1.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let (classes, geometry) = (self.data.class_counts.len(), &self.geometry);
        let AccuracySummary { top1, many, medium, few, per_class } = &self.accuracy;
        let noisy = self.noise.iter().map(|noisy| Some(noisy.top1));
        let best = self.best_epoch.as_ref().map(|best| best.accuracy.all);
        let shares = [Some(*top1), *many, *medium, *few, best]
            .into_iter()
            .chain(per_class.iter().copied())
            .chain(noisy);
        if let Some(share) = shares.flatten().find(|share| !(0.0..=1.0).contains(share)) {
            return Err(format!("expected accuracy from 0 to 1, found {share}"));
        }
        if geometry.norms.len() != classes {
            return Err(format!("expected norms of {classes} classes, found {}", geometry.norms.len()));
        }
        let angles = &geometry.angles_degrees;
        let rows: Vec<usize> = angles.iter().map(Vec::len).collect();
        if !angles.is_empty() && rows != vec![classes; classes] {
            return Err(format!(
                "expected angles of {classes} x {classes} classes or none, found rows of {rows:?}"
            ));
        }
        Ok(())
    }

    /// Test accuracy in percent, with noise of this standard deviation on the images.
    pub(crate) fn percent(&self, noise: Option<f64>) -> Option<f64> {
        let share = match noise {
            None => Some(self.accuracy.top1),
            Some(std) => self.noise.iter().find(|noisy| noisy.std == std).map(|noisy| noisy.top1),
        };
        share.map(|share| 100.0 * share)
    }
}
