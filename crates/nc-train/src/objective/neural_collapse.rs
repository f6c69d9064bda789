use candle_core::{Tensor, Var, backprop::GradStore};

use super::{
    centers,
    targets::{Labels, Targets},
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{
    Result,
    config::{Centers, NeuralCollapse, WithinForm},
};

/// lambda1 L_W + lambda2 L_B on the features of the first branch, with their centres.
pub(super) struct NeuralCollapseTerm {
    settings: NeuralCollapse,
    /// K.
    classes: usize,
    /// Whether the start epoch is reached.
    active: bool,
    /// Learnable or averaged centres, once initialised.
    centers: Option<Var>,
}

/// Name of the centres in checkpoints.
const CENTERS: &str = "centers";

impl NeuralCollapseTerm {
    pub(super) fn new(settings: &NeuralCollapse, classes: usize) -> Self {
        Self { settings: settings.clone(), classes, active: false, centers: None }
    }

    /// L_W or centre loss for one set of labels.
    fn within(&self, features: &Tensor, labels: &Labels) -> nc_losses::Result<Tensor> {
        let centers = match (self.settings.centers, &self.centers) {
            (Centers::MovingAverage { momentum, .. }, Some(old)) => {
                centers::moved(&old.as_detached_tensor(), momentum, &features.detach(), labels)?
            }
            (_, Some(learnable)) => learnable.as_tensor().clone(),
            (_, None) => centers::batch_means(features, labels, self.classes)?,
        };
        match self.settings.within_form {
            WithinForm::ByClass => nc_losses::within_class(features, &labels.tensor, &centers),
            WithinForm::BySample => nc_losses::center_loss(features, &labels.tensor, &centers),
        }
    }

    /// L_B. Mixed over both sets of labels if the centres depend on them.
    fn between(&self, features: &Tensor, targets: &Targets) -> Result<Tensor> {
        let form = self.settings.between_form;
        match (self.settings.centers, &self.centers) {
            (Centers::MovingAverage { momentum, .. }, Some(old)) => targets.mixed(|labels| {
                let moved = centers::moved(&old.as_detached_tensor(), momentum, features, labels)?;
                nc_losses::between_class(&moved, form)
            }),
            (_, Some(learnable)) => Ok(nc_losses::between_class(learnable, form)?),
            (_, None) => targets.mixed(|labels| {
                let present = nc_losses::class_means_by(features, &labels.host, self.classes)?;
                nc_losses::between_class(&present.means, form)
            }),
        }
    }
}

impl Term for NeuralCollapseTerm {
    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        if self.active || epoch.epoch < self.settings.start_epoch {
            return Ok(());
        }
        if self.centers.is_none() {
            self.centers = centers::first(self.settings.centers, self.classes, epoch)?;
        }
        self.active = true;
        Ok(())
    }

    fn parts(&self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let (Some(branch), Some(targets), true) = (step.branches.first(), step.targets.first(), self.active)
        else {
            return Ok(vec![]);
        };
        let NeuralCollapse { within_weight, between_weight, .. } = self.settings;
        let mut parts = vec![];
        if within_weight > 0.0 {
            let value = targets.mixed(|labels| self.within(&branch.features, labels))?;
            parts.push(Part { name: "within_class", weight: within_weight, value });
        }
        if between_weight > 0.0 {
            let value = self.between(&branch.features, targets)?;
            parts.push(Part { name: "between_class", weight: between_weight, value });
        }
        Ok(parts)
    }

    fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        match (self.settings.centers, &self.centers) {
            (Centers::Learnable { .. }, Some(centers)) => gradients.get(centers).into_iter().collect(),
            _ => vec![],
        }
    }

    fn after_step(&mut self, step: &StepContext<'_>, gradients: &GradStore) -> Result<()> {
        let (Some(centers), true) = (&self.centers, self.active) else { return Ok(()) };
        match self.settings.centers {
            Centers::Learnable { learning_rate, .. } => {
                centers::descend(centers, learning_rate / self.settings.within_weight, gradients)
            }
            Centers::MovingAverage { momentum, .. } => match (step.branches.first(), step.targets.first()) {
                (Some(branch), Some(targets)) => {
                    centers::average(centers, momentum, &branch.features, targets)
                }
                _ => Ok(()),
            },
            Centers::BatchMeans => Ok(()),
        }
    }

    fn state(&self) -> Vec<(String, Tensor)> {
        let centers = self.centers.iter();
        centers.map(|centers| (CENTERS.to_owned(), centers.as_detached_tensor())).collect()
    }

    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        let known = name == CENTERS && !matches!(self.settings.centers, Centers::BatchMeans);
        if known {
            self.centers = Some(Var::from_tensor(tensor)?);
        }
        Ok(known)
    }
}
