use std::collections::BTreeMap;

use candle_core::{Tensor, Var, backprop::GradStore};

use super::{
    centers,
    embeddings::Embeddings,
    sum::sum,
    targets::{Labels, Targets},
    term::{EpochContext, Part, StepContext, Term},
};
use crate::{
    Result,
    config::{Centers, NeuralCollapse, Space, WithinForm},
};

/// lambda1 L_W + lambda2 L_B on the features of each expert, with centres of their own; the mean over the experts. Or on the
/// embeddings of a projection head.
pub(super) struct NeuralCollapseTerm {
    settings: NeuralCollapse,
    /// K.
    classes: usize,
    /// First view of the embeddings.
    first_view: usize,
    /// Whether the start epoch is reached.
    active: bool,
    /// Learnable or averaged centres of each branch, once initialised.
    centers: BTreeMap<usize, Var>,
}

impl NeuralCollapseTerm {
    pub(super) fn new(settings: &NeuralCollapse, classes: usize, first_view: usize) -> Self {
        Self { settings: settings.clone(), classes, first_view, active: false, centers: BTreeMap::new() }
    }

    /// The features of each expert, or the embeddings, with their labels; `None` while the term is off.
    fn vectors(&self, step: &StepContext<'_>) -> Result<Option<(Vec<Tensor>, Targets)>> {
        let (Some(targets), true) = (step.targets.first(), self.active) else { return Ok(None) };
        Ok(Some(match self.settings.space {
            Space::Features => {
                let features = step.first_view().iter().map(|branch| branch.features.clone());
                (features.collect(), targets.clone())
            }
            Space::Embeddings => {
                let Embeddings { tensor, targets, .. } = Embeddings::of(step, self.first_view)?;
                (vec![tensor], targets)
            }
        }))
    }

    /// L_W or centre loss of `branch` for one set of labels.
    fn within(&self, branch: usize, features: &Tensor, labels: &Labels) -> nc_losses::Result<Tensor> {
        let centers = match (self.settings.centers, self.centers.get(&branch)) {
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

    /// L_B of `branch`. Mixed over both sets of labels if the centres depend on them.
    fn between(&self, branch: usize, features: &Tensor, targets: &Targets) -> Result<Tensor> {
        let form = self.settings.between_form;
        match (self.settings.centers, self.centers.get(&branch)) {
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
        if self.centers.is_empty() {
            let NeuralCollapse { centers, space, .. } = self.settings;
            let first = centers::first(centers, space, self.classes, epoch)?;
            self.centers = first.into_iter().enumerate().collect();
        }
        // Those of a checkpoint may be incomplete.
        let expected = match self.settings.space {
            Space::Features => epoch.network.heads().len().max(1),
            Space::Embeddings => 1,
        };
        let found = self.centers.len();
        if !matches!(self.settings.centers, Centers::BatchMeans) && found != expected {
            let message = format!("expected the centres of {expected} branches, found {found}");
            return Err(nc_models::Error::Weights(message).into());
        }
        self.active = true;
        Ok(())
    }

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let Some((vectors, targets)) = self.vectors(step)? else { return Ok(vec![]) };
        let NeuralCollapse { within_weight, between_weight, .. } = self.settings;
        let mut parts = vec![];
        if within_weight > 0.0 {
            let value = mean(&vectors, |branch, features| {
                targets.mixed(|labels| self.within(branch, features, labels))
            })?;
            parts.push(Part { name: "within_class", weight: within_weight, value });
        }
        if between_weight > 0.0 {
            let value = mean(&vectors, |branch, features| self.between(branch, features, &targets))?;
            parts.push(Part { name: "between_class", weight: between_weight, value });
        }
        Ok(parts)
    }

    fn gradients<'a>(&self, gradients: &'a GradStore) -> Vec<&'a Tensor> {
        match self.settings.centers {
            Centers::Learnable { .. } => {
                self.centers.values().filter_map(|centers| gradients.get(centers)).collect()
            }
            _ => vec![],
        }
    }

    fn after_step(&mut self, step: &StepContext<'_>, gradients: &GradStore) -> Result<()> {
        let Some((vectors, targets)) = self.vectors(step)? else { return Ok(()) };
        for (centers, features) in self.centers.values().zip(&vectors) {
            match self.settings.centers {
                Centers::Learnable { learning_rate, .. } => {
                    // Divides by the weight of the branch's L_W.
                    let weight = self.settings.within_weight / vectors.len() as f64;
                    centers::descend(centers, learning_rate / weight, gradients)?;
                }
                Centers::MovingAverage { momentum, .. } => {
                    centers::average(centers, momentum, features, &targets)?;
                }
                Centers::BatchMeans => {}
            }
        }
        Ok(())
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let name = |branch: usize| centers::name(branch, self.centers.len());
        let named =
            self.centers.iter().map(|(&branch, centers)| (name(branch), centers.as_detached_tensor()));
        Ok(named.collect())
    }

    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        let branch = match name.strip_prefix(centers::NAME) {
            Some("") => Some(0),
            Some(number) => number.strip_prefix('/').and_then(|number| number.parse().ok()),
            None => None,
        };
        let Some(branch) = branch.filter(|_| !matches!(self.settings.centers, Centers::BatchMeans)) else {
            return Ok(false);
        };
        self.centers.insert(branch, Var::from_tensor(tensor)?);
        Ok(true)
    }
}

/// The mean of `of` over the numbers and features of the experts.
fn mean(vectors: &[Tensor], of: impl Fn(usize, &Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let sum = sum(vectors.iter().enumerate().map(|(number, features)| of(number, features)))?;
    let sum = sum.ok_or(nc_models::Error::Views { expected: 1, found: 0 })?;
    Ok(if vectors.len() > 1 { (sum / vectors.len() as f64)? } else { sum })
}
