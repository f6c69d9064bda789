use nc_record::{
    BestEpoch, DataSummary, FORMAT_VERSION, NetworkSummary, ProgramSummary, ShotAccuracy, Timing,
};
use nc_train::{BackboneKind, Experiment, RunResult};
use serde::{Deserialize, Serialize};

use crate::{Job, PaperRun, Result, Scale, Shots};

/// Summary of a finished run: small enough to commit, complete enough to generate all tables and figures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Format version.
    pub format_version: u32,
    /// Scale.
    pub scale: Scale,
    /// Preset.
    pub preset: String,
    /// Seed.
    pub seed: u64,
    /// [`Job::key`].
    pub key: String,
    /// Hash of configuration and training subset.
    pub run_hash: String,
    /// Command that reproduces the run.
    pub command: String,
    /// Training and test data.
    pub data: DataSummary,
    /// Size of the network; none in records of earlier versions, like the next field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSummary>,
    /// Program that trained the network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSummary>,
    /// Epochs of each phase.
    pub epochs: Vec<usize>,
    /// Test accuracy after the last epoch.
    pub accuracy: AccuracySummary,
    /// Test accuracy with Gaussian noise on the images.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<NoisyAccuracy>,
    /// Test accuracy of the moving average of the weights after the last epoch; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_average: Option<ShotAccuracy>,
    /// Epoch with the best test accuracy: for comparison, never the figure to report.
    pub best_epoch: Option<BestEpoch>,
    /// Geometry of the training features after the last epoch.
    pub geometry: GeometrySummary,
    /// Wall time.
    pub timing: Timing,
    /// Configuration, as TOML.
    pub config: String,
}

/// Test accuracy, in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AccuracySummary {
    /// All test images.
    pub top1: f64,
    /// Classes with more than 100 training images.
    pub many: Option<f64>,
    /// Classes with 20 to 100 training images.
    pub medium: Option<f64>,
    /// Classes with fewer than 20 training images.
    pub few: Option<f64>,
    /// Accuracy per class.
    pub per_class: Vec<Option<f64>>,
}

/// Test accuracy under Gaussian noise.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoisyAccuracy {
    /// Standard deviation of the noise.
    pub std: f64,
    /// Accuracy in [0, 1].
    pub top1: f64,
}

/// Neural-collapse metrics of the training features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GeometrySummary {
    /// NC1, tr(S_W pinv(S_B))/K, sample-weighted.
    pub nc1: Option<f64>,
    /// Mean over classes of the angle to the nearest other class mean.
    pub mean_nearest_angle_degrees: Option<f64>,
    /// Smallest angle between class means.
    pub min_angle_degrees: Option<f64>,
    /// NC3, squared distance between the normalised classifier and the normalised class means.
    pub nc3: Option<f64>,
    /// NC4, share of samples on which classifier and nearest class mean disagree.
    pub nc4: Option<f64>,
    /// Norms of the centred class means (K).
    pub norms: Vec<f64>,
    /// Angles between the centred class means (K, K); empty for more than 20 classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub angles_degrees: Vec<Vec<f64>>,
}

/// Largest number of classes whose angles are recorded.
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
            weight_average: result.weight_average.as_ref().map(|average| average.accuracy.test_accuracy),
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
        stds.iter().all(|&std| self.under_noise(std).is_some())
    }

    /// The feature dimension P: the channels of the last stage.
    pub(crate) fn feature_dim(&self) -> Option<usize> {
        if let Some(network) = &self.network {
            return network.channels.last().copied();
        }
        // Earlier records do not state the channels.
        let config: Experiment = toml::from_str(&self.config).ok()?;
        Some(match config.model.backbone {
            BackboneKind::ResNet18 | BackboneKind::ImageNetResNet18 => 512,
            BackboneKind::ResNet50 | BackboneKind::ResNet152 | BackboneKind::ResNeXt50 => 2048,
            BackboneKind::WideResNet32 => 128,
            _ => 64,
        })
    }

    /// Name of the record's file.
    pub(crate) fn file_name(&self) -> String {
        let preset = self.preset.replace(['/', '+', ' '], "-").replace(['(', ')'], "");
        format!("{preset}-seed{}-{}.json", self.seed, self.key.get(..8).unwrap_or(&self.key))
    }

    /// Checks that the record is that of its configuration, that per-class values cover all classes, and that every value is in
    /// its range.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let config: Experiment = toml::from_str(&self.config).map_err(|error| format!("config: {error}"))?;
        let hash = |subset: &str| config.hash(subset).map_err(|error| error.to_string());
        let epochs: Vec<usize> = config.phases.iter().map(|phase| phase.epochs).collect();
        let same =
            |what: &str, same: bool| if same { Ok(()) } else { Err(format!("{what}: not that of config")) };
        same("key", hash("")? == self.key)?;
        same("run_hash", hash(&self.data.hash())? == self.run_hash)?;
        same("seed", config.seed == self.seed)?;
        same("epochs", epochs == self.epochs)?;
        same("precision of scale", config.model.precision == self.scale.precision())?;

        let (classes, geometry) = (self.data.class_counts.len(), &self.geometry);
        let AccuracySummary { top1, many, medium, few, per_class } = &self.accuracy;
        let others =
            self.best_epoch.as_ref().map(|best| best.accuracy).into_iter().chain(self.weight_average);
        let others = others.flat_map(|of| [Some(of.all), of.balanced, of.many, of.medium, of.few]);
        let noisy = self.noise.iter().map(|noisy| Some(noisy.top1));
        let shares = [Some(*top1), *many, *medium, *few].into_iter().chain(per_class.iter().copied());
        within("accuracy", 1.0, shares.chain(noisy).chain(others))?;
        let GeometrySummary { nc1, nc3, nc4, norms, angles_degrees: angles, .. } = geometry;
        within("nc4", 1.0, [*nc4])?;
        within(
            "nc1, nc3 and norms",
            f64::MAX,
            [*nc1, *nc3].into_iter().chain(norms.iter().copied().map(Some)),
        )?;
        let summary = [geometry.mean_nearest_angle_degrees, geometry.min_angle_degrees];
        within("angles", 180.0, summary.into_iter().chain(angles.iter().flatten().copied().map(Some)))?;
        within("seconds", f64::MAX, [Some(self.timing.seconds), Some(self.timing.images_per_second)])?;
        for (what, found) in [("norms", norms.len()), ("per_class", per_class.len())] {
            if found != classes {
                return Err(format!("expected {what} of {classes} classes, found {found}"));
            }
        }
        let rows: Vec<usize> = angles.iter().map(Vec::len).collect();
        if !angles.is_empty() && rows != vec![classes; classes] {
            return Err(format!(
                "expected angles of {classes} x {classes} classes or none, found rows of {rows:?}"
            ));
        }
        Ok(())
    }

    /// The accuracy that `run` asks for, in percent.
    pub(crate) fn percent(&self, run: &PaperRun) -> Option<f64> {
        let share = match (run.noise, run.shots) {
            (Some(std), _) => self.under_noise(std),
            (None, None) if run.averaged => self.weight_average.map(|average| average.all),
            (None, None) => Some(self.accuracy.top1),
            (None, Some(Shots::Many)) => self.accuracy.many,
            (None, Some(Shots::Medium)) => self.accuracy.medium,
            (None, Some(Shots::Few)) => self.accuracy.few,
        };
        share.map(|share| 100.0 * share)
    }

    fn under_noise(&self, std: f64) -> Option<f64> {
        self.noise.iter().find(|noisy| noisy.std == std).map(|noisy| noisy.top1)
    }
}

/// Errors for a value outside 0 to `most`.
fn within(
    what: &str,
    most: f64,
    values: impl IntoIterator<Item = Option<f64>>,
) -> std::result::Result<(), String> {
    match values.into_iter().flatten().find(|value| !(0.0..=most).contains(value)) {
        None => Ok(()),
        Some(found) if most == f64::MAX => Err(format!("expected {what} of at least 0, found {found}")),
        Some(found) => Err(format!("expected {what} from 0 to {most}, found {found}")),
    }
}
