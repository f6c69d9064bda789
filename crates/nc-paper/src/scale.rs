use nc_train::{BackboneKind, DataConfig, Experiment, Profile, ValidExperiment, presets};
use serde::{Deserialize, Serialize};

use crate::Result;

/// How much of the paper's training is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scale {
    /// Seconds a run, to see that everything works: one epoch of a ResNet-8 on at most 100 images a class of the
    /// Fashion-MNIST inside the program, with the row's method and imbalance. Its figures say nothing.
    Smoke,
    /// 40 epochs in place of 200; the warm-up keeps its 5 epochs, every other epoch number is scaled.
    Quick,
    /// As the paper: 200 epochs.
    Paper,
}

/// The largest class at smoke scale.
const SMOKE_CLASS: usize = 100;

impl Scale {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Paper => "paper",
        }
    }

    /// What stands beside every figure of this scale.
    pub fn description(self) -> &'static str {
        match self {
            Self::Smoke => "smoke scale (1 epoch of a ResNet-8 on a few Fashion-MNIST images: says nothing)",
            Self::Quick => "quick scale (40 epochs in place of 200)",
            Self::Paper => "paper scale (200 epochs)",
        }
    }

    /// The seeds, if none are asked for.
    pub fn seeds(self) -> &'static [u64] {
        match self {
            Self::Smoke | Self::Quick => &[0],
            Self::Paper => &[0, 1, 2],
        }
    }

    /// The experiment of `preset` at this scale.
    ///
    /// # Errors
    ///
    /// If there is no such preset, or its parts do not go together.
    pub fn experiment(self, preset: &str, seed: u64) -> Result<ValidExperiment> {
        let mut experiment = presets::find(preset)?;
        experiment.seed = seed;
        match self {
            Self::Smoke => shrink(&mut experiment)?,
            Self::Quick => experiment.scale_epochs(40),
            Self::Paper => {}
        }
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
    // After the last epoch of each phase only.
    experiment.evaluation.every_epochs = usize::MAX >> 1;
    for phase in &mut experiment.phases {
        phase.batch_size = 32;
    }
    Ok(())
}
