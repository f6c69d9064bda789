//! What several of these tests train.

use nc_train::{
    BackboneKind, Error, Experiment, Finished, Observer, Profile, RunOptions, ValidExperiment, presets,
};

/// The method on 60 to 6 images a class, in one epoch and with a small network.
pub(crate) fn experiment(method: &str) -> Experiment {
    let mut experiment = presets::find(&format!("fashion-mnist-lt/{method}")).unwrap();
    experiment.data.profile = Profile::Exponential { ratio: 10.0, largest: Some(60) };
    experiment.model.backbone = BackboneKind::ResNet8;
    experiment.scale_epochs(1);
    experiment
}

/// Trains an experiment that is valid.
pub(crate) fn train(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    nc_train::train(&ValidExperiment::try_from(experiment.clone())?, options, observer)
}

/// Whether the settings of an experiment go together.
pub(crate) fn validated(experiment: &Experiment) -> Result<(), Error> {
    ValidExperiment::try_from(experiment.clone()).map(drop)
}
