use nc_train::{BackboneKind, DataConfig, Experiment, Precision, Profile, ValidExperiment, presets};
use serde::{Deserialize, Serialize};

use crate::Result;

/// Length and precision of training, relative to the paper. Each scale has tables of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// A smoke test of seconds per run: one epoch of a ResNet-8 on at most 100 images per class of the built-in
    /// Fashion-MNIST, with the row's method and imbalance. Its accuracies are meaningless.
    Smoke,
    /// A fifth of the epochs, for most rows 40 instead of 200. The warm-up keeps its 5 epochs; all other epoch numbers are
    /// scaled.
    Quick,
    /// The same in bf16 instead of f32.
    #[serde(rename = "quick-bf16")]
    QuickBf16,
    /// The preset's epochs: 200 for most rows, as in the paper.
    Paper,
    /// The preset's epochs in bf16 instead of f32.
    #[serde(rename = "paper-bf16")]
    PaperBf16,
}

/// Images of the largest class at smoke scale.
const SMOKE_CLASS: usize = 100;

impl Scale {
    /// Name, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::QuickBf16 => "quick-bf16",
            Self::Paper => "paper",
            Self::PaperBf16 => "paper-bf16",
        }
    }

    /// Description in tables.
    pub fn description(self) -> &'static str {
        match self {
            Self::Smoke => "smoke scale (1 epoch of a ResNet-8 on a few Fashion-MNIST images; only a test)",
            Self::Quick => "quick scale (a fifth of the epochs: 40 in place of 200, f32)",
            Self::QuickBf16 => "quick scale (a fifth of the epochs: 40 in place of 200, bf16)",
            Self::Paper => "paper scale (200 epochs, f32)",
            Self::PaperBf16 => "paper scale (200 epochs, bf16)",
        }
    }

    /// Whether runs have a fifth of the preset's epochs.
    pub(crate) fn shortened(self) -> bool {
        matches!(self, Self::Quick | Self::QuickBf16)
    }

    /// Precision of the runs.
    pub(crate) fn precision(self) -> Precision {
        match self {
            Self::Smoke | Self::Quick | Self::Paper => Precision::F32,
            Self::QuickBf16 | Self::PaperBf16 => Precision::Bf16,
        }
    }

    /// Default seeds.
    pub fn seeds(self) -> &'static [u64] {
        match self {
            Self::Smoke | Self::Quick | Self::QuickBf16 => &[0],
            Self::Paper | Self::PaperBf16 => &[0, 1, 2],
        }
    }

    /// The experiment of `preset` at this scale.
    ///
    /// # Errors
    ///
    /// If the preset is unknown or its parts are incompatible.
    pub fn experiment(self, preset: &str, seed: u64) -> Result<ValidExperiment> {
        let mut experiment = presets::find(preset)?;
        experiment.seed = seed;
        if self == Self::Smoke {
            shrink(&mut experiment)?;
        }
        if self.shortened() {
            let full = experiment.phases.first().map_or(0, |phase| phase.epochs);
            experiment.scale_epochs(full / 5);
        }
        experiment.model.precision = self.precision();
        Ok(experiment.try_into()?)
    }
}

fn shrink(experiment: &mut Experiment) -> Result<()> {
    let embedded = presets::find(presets::DEFAULT)?.data;
    let profile = match experiment.data.profile {
        Profile::Exponential { ratio, .. } => Profile::Exponential { ratio, largest: Some(SMOKE_CLASS) },
        _ => Profile::Balanced { per_class: None },
    };
    experiment.data = DataConfig { profile, ..embedded };
    experiment.model.backbone = BackboneKind::ResNet8;
    experiment.scale_epochs(1);
    // Evaluate only after the last epoch of each phase.
    experiment.evaluation.every_epochs = usize::MAX >> 1;
    for phase in &mut experiment.phases {
        phase.batch_size = 32;
    }
    Ok(())
}
