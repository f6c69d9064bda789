//! What determines the result of a run, as data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    DataConfig, Result, methods::PostHoc, objective::Objective, optimizer::SgdConfig, schedule::Schedule,
};

/// The most epochs a phase can have: however they are scaled, their numbers stay far from overflow.
pub(crate) const MOST_EPOCHS: usize = 1_000_000;

/// Everything that determines the result of a run: the same experiment on the same data gives the same weights,
/// bit for bit. Directories, devices and threads stand elsewhere ([`RunOptions`](crate::RunOptions)).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// A name for people; part of the run directory's name.
    pub name: String,
    /// Seeds initialisation, data order, augmentation and mix-up.
    pub seed: u64,
    /// Training and test images.
    pub data: DataConfig,
    /// The network.
    pub model: ModelConfig,
    /// When the test set is looked at.
    pub evaluation: EvaluationConfig,
    /// What is learned, one phase after the other.
    pub phases: Vec<Phase>,
    /// What is done to the classifier after the last phase; absent for nothing. With it no epoch is called the best or
    /// selected, since none had that classifier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub post_hoc: Option<PostHoc>,
}

/// The network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// The backbone.
    pub backbone: BackboneKind,
    /// The classifier on its features.
    pub head: HeadKind,
    /// Whether features pass through batch norm and are then scaled to length 1, for a fixed ETF.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    #[schemars(extend("default" = false))]
    pub normalize_features: bool,
}

/// A backbone for small images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum BackboneKind {
    /// CIFAR ResNet-8, for a first look in seconds.
    ResNet8,
    /// CIFAR ResNet-20.
    ResNet20,
    /// CIFAR ResNet-32, the paper's.
    ResNet32,
    /// CIFAR ResNet-44.
    ResNet44,
    /// CIFAR ResNet-56.
    ResNet56,
    /// CIFAR ResNet-32 with 32, 64 and 128 channels, for a fixed ETF of 100 classes (Yang et al. 2022).
    #[serde(rename = "wide-resnet32")]
    WideResNet32,
    /// ResNet-18 with a 3x3 stem and features of 512 dimensions: some eight times the work of ResNet-32.
    ResNet18,
}

/// A classifier.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadKind {
    /// Linear: W h + b.
    Linear,
    /// `scale` times the cosines between features and class directions.
    Cosine {
        /// The factor on the cosines.
        #[schemars(range(max = 1e6), extend("exclusiveMinimum" = 0))]
        scale: f64,
    },
    /// Class directions fixed to a simplex ETF.
    Etf,
}

/// When the test set is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// Every so many epochs, and after the last of each phase: a number above all epochs for that alone. Changes no
    /// weights.
    #[schemars(range(min = 1))]
    pub every_epochs: usize,
}

/// A stretch of training with one set of rules.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Phase {
    /// Its name, as in `--set phases.NAME.key=value`. A new classifier is drawn by it: another name, another draw.
    pub name: String,
    /// Passes over the training subset.
    #[schemars(range(min = 1, max = MOST_EPOCHS))]
    pub epochs: usize,
    /// Images in a batch; the last batch of an epoch may be smaller.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub batch_size: usize,
    /// Which parameters learn.
    pub trains: Trains,
    /// Which images an epoch is made of.
    pub sampler: SamplerKind,
    /// Mix-up: lambda is drawn from Beta(alpha, alpha) once a batch. At least 0.001, or 0 for none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1e6))]
    pub mixup_alpha: f64,
    /// What is minimised.
    pub objective: Objective,
    /// How the parameters move.
    pub optimizer: SgdConfig,
    /// The learning rate over the epochs.
    pub schedule: Schedule,
}

/// Which parameters learn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Trains {
    /// Backbone and classifier; batch norm on batch statistics.
    Everything,
    /// The classifier, drawn anew from N(0, 0.01) with zero bias, on a frozen backbone whose batch norm uses its
    /// running statistics: cRT (Kang et al. 2020).
    NewClassifier,
    /// A factor on each logit, at first 1, on a frozen backbone (batch norm as above) and linear classifier: LWS (Kang et
    /// al. 2020). Multiplied into the classifier at the end.
    LogitScale,
    /// Factors on the logits as above, and the linear classifier with them: the second phase of MiSLAS (Zhong et al.
    /// 2021).
    ScaledClassifier {
        /// The classifier's share of the learning rate; the factors have all of it.
        #[schemars(range(min = 0, max = 1e6))]
        classifier_rate: f64,
        /// Whether batch norm of the frozen backbone uses batch statistics, and its running ones move.
        #[serde(default)]
        shift_batch_norm: bool,
    },
}

impl Trains {
    /// Whether there is a factor on each logit that learns.
    pub(crate) fn scales_logits(self) -> bool {
        matches!(self, Self::LogitScale | Self::ScaledClassifier { .. })
    }
}

/// Which images an epoch is made of; the epoch's length is always that of the subset.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SamplerKind {
    /// Each image once, in random order.
    Uniform,
    /// Each class equally likely, with replacement.
    ClassBalanced,
    /// Images by the inverse effective number of their class (Cui et al. 2019), with replacement: class k with probability
    /// ~ n_k (1 - beta) / (1 - beta^n_k).
    EffectiveNumber {
        /// The beta of effective numbers (1 - beta^n) / (1 - beta).
        #[schemars(range(min = 0), extend("exclusiveMaximum" = 1))]
        beta: f64,
    },
    /// Classes by the square root of their size, with replacement.
    SquareRoot,
    /// Classes by the inverse of their size, with replacement (BBN).
    Reverse,
    /// From images drawn uniformly in the first epoch to classes drawn uniformly in the last, with replacement.
    Progressive,
}

impl Experiment {
    /// The experiment as TOML, complete: [`Settings`](crate::Settings) reads it from a file.
    ///
    /// # Errors
    ///
    /// If a number of it has no TOML, as one above `i64::MAX`; [`Experiment::validate`] refuses such seeds.
    pub fn to_toml(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// The same experiment in `epochs` epochs of its first phase: every epoch number of every phase is scaled by the
    /// same ratio and rounded to nearest; epochs and warm-up last at least 1 where they were not 0.
    pub fn scale_epochs(&mut self, epochs: usize) {
        let Some(full) = self.phases.first().map(|phase| phase.epochs) else { return };
        let full = full.max(1) as u128;
        let scale = |number: usize| {
            let scaled = (number as u128 * epochs as u128 + full / 2) / full;
            usize::try_from(scaled).unwrap_or(usize::MAX)
        };
        for phase in &mut self.phases {
            phase.epochs = scale(phase.epochs).max(1);
            phase.schedule.scale_epochs(scale);
            phase.objective.scale_epochs(scale);
        }
    }

    /// The experiment whose end this one goes on from: without what is done after the last phase, or else without the
    /// last phase.
    pub fn shorter(&self) -> Option<Self> {
        let mut shorter = self.clone();
        if shorter.post_hoc.take().is_none() {
            shorter.phases.pop();
        }
        (!shorter.phases.is_empty()).then_some(shorter)
    }

    /// Hash of the experiment and the training subset: names the run. 16 hex digits of a SHA-256.
    ///
    /// # Errors
    ///
    /// As [`Experiment::to_toml`].
    pub fn hash(&self, subset_hash: &str) -> Result<String> {
        let nameless = Self { name: String::new(), ..self.clone() };
        let digest = Sha256::digest(format!("{}\n{subset_hash}", nameless.to_toml()?));
        let first = digest.iter().take(8).fold(0u64, |number, &byte| number << 8 | u64::from(byte));
        Ok(format!("{first:016x}"))
    }
}
