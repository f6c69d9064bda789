use std::mem::discriminant;

use nc_data::Transform;
use nc_losses::BetweenForm;

use super::data_sets::{DataSet, RECIPE_EPOCHS};
use crate::{
    config::{
        BackboneKind, CenterInit, Centers, Experiment, NeuralCollapse, Phase, Reweighting, Space, Trains,
        WithinForm,
    },
    post_hoc::PostHoc,
};

/// An optional addition to a method.
#[derive(Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
    pub(super) sets: Sets,
}

/// The option that a part sets.
#[derive(Clone, Copy)]
pub(super) enum Sets {
    /// The regularisers of the first phase: L_W + L_B on learnable centres after this change.
    NeuralCollapse(fn(&mut NeuralCollapse)),
    /// A second phase.
    SecondPhase(fn(&DataSet) -> Phase),
    /// The post-hoc adjustment of the classifier.
    PostHoc(PostHoc),
    /// The class weights of the first phase.
    Reweighting(fn(&Phase, &DataSet) -> Reweighting),
    /// The network.
    Network(BackboneKind),
    /// Transforms of training images after crop and flip.
    Transforms(&'static [Transform]),
    /// Single settings of the first phase.
    Settings(fn(&mut Phase, &DataSet)),
    /// Single settings of each phase that trains the whole network.
    EverySettings(fn(&mut Phase)),
}

impl Part {
    pub(super) const fn new(name: &'static str, description: &'static str, sets: Sets) -> Self {
        Self { name, description, sets }
    }

    /// True if `other` sets the same option. Different parts of single settings can be combined.
    pub(super) fn excludes(&self, other: &Self) -> bool {
        self.name == other.name
            || !matches!(self.sets, Sets::Settings(_) | Sets::EverySettings(_))
                && discriminant(&self.sets) == discriminant(&other.sets)
    }

    /// Adds the part to an experiment on `data`, which has its first phase.
    pub(super) fn add(&self, experiment: &mut Experiment, data: &DataSet) {
        match self.sets {
            Sets::NeuralCollapse(change) => {
                let (within_weight, between_weight, start_epoch) = data.neural_collapse;
                let start_epoch = start_epoch * experiment.phases[0].epochs / RECIPE_EPOCHS;
                let mut neural_collapse = NeuralCollapse {
                    within_weight,
                    within_form: WithinForm::ByClass,
                    between_weight,
                    between_form: BetweenForm::MeanMinAngle,
                    start_epoch,
                    centers: Centers::Learnable { learning_rate: 0.5, init: first_centers(start_epoch) },
                    space: Space::Features,
                };
                change(&mut neural_collapse);
                experiment.phases[0].objective.neural_collapse = Some(neural_collapse);
            }
            Sets::SecondPhase(phase) => experiment.phases.push(phase(data)),
            Sets::PostHoc(adjustment) => experiment.post_hoc = Some(adjustment),
            Sets::Reweighting(weights) => {
                let phase = &mut experiment.phases[0];
                phase.objective.reweighting = weights(phase, data);
            }
            Sets::Network(backbone) => {
                experiment.model.backbone = match backbone {
                    BackboneKind::ResNet18 if data.photographs.is_some() => BackboneKind::ImageNetResNet18,
                    other => other,
                };
            }
            Sets::Transforms(transforms) => experiment.data.transforms = transforms.to_vec(),
            Sets::Settings(change) => change(&mut experiment.phases[0], data),
            Sets::EverySettings(change) => {
                let phases = experiment.phases.iter_mut();
                phases.filter(|phase| phase.trains == Trains::Everything).for_each(change);
            }
        }
    }
}

/// Class means only if the centres start after the first epoch, when the features are trained.
pub(super) fn first_centers(start_epoch: usize) -> CenterInit {
    if start_epoch > 0 { CenterInit::ClassMeans } else { CenterInit::Normal }
}
