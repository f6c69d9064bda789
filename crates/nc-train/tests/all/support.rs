//! Small experiments shared by the tests.

use nc_record::Event;
use nc_train::{
    BackboneKind, Error, Experiment, Finished, Observer, Profile, RunOptions, Step, ValidExperiment, presets,
};

/// `method` on 60 to 6 images per class, for one epoch of ResNet-8.
pub(crate) fn experiment(method: &str) -> Experiment {
    let mut experiment = presets::find(&format!("fashion-mnist-lt/{method}")).unwrap();
    experiment.data.profile = Profile::Exponential { ratio: 10.0, largest: Some(60) };
    experiment.model.backbone = BackboneKind::ResNet8;
    experiment.scale_epochs(1);
    experiment
}

/// Validates and trains an experiment.
pub(crate) fn train(
    experiment: &Experiment,
    options: &RunOptions,
    observer: &mut dyn Observer,
) -> Result<Finished, Error> {
    nc_train::train(&ValidExperiment::try_from(experiment.clone())?, options, observer)
}

/// Validates an experiment.
pub(crate) fn validated(experiment: &Experiment) -> Result<(), Error> {
    ValidExperiment::try_from(experiment.clone()).map(drop)
}

/// Stops a run after this number of steps.
pub(crate) struct StopAfter(pub(crate) usize);

impl Observer for StopAfter {
    fn event(&mut self, _: &Event) {}

    fn step(&mut self, _: &Step<'_>) {
        self.0 = self.0.saturating_sub(1);
    }

    fn wants_to_stop(&mut self) -> bool {
        self.0 == 0
    }
}
