//! What several of these tests train.

use nc_train::{BackboneKind, Experiment, Profile, presets};

/// The method on 60 to 6 images a class, in one epoch and with a small network.
pub(crate) fn experiment(method: &str) -> Experiment {
    let mut experiment = presets::find(&format!("fashion-mnist-lt/{method}")).unwrap();
    experiment.data.profile = Profile::Exponential { ratio: 10.0, largest: Some(60) };
    experiment.model.backbone = BackboneKind::ResNet8;
    experiment.scale_epochs(1);
    experiment
}
