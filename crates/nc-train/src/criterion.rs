//! The loss of a batch, and the steps of the centres it acts on.

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use nc_models::{Head, Output};
use nc_record::EpochLosses;

use crate::{
    Centers, Error, HeadKind, NeuralCollapse, Objective, Result, WithinForm, centers, methods::Labelled,
};

/// The labels of a batch: of its images, and of the images mixed into them.
pub(crate) struct Targets {
    pub(crate) labels: Tensor,
    /// The partners' labels and the share lambda of the images themselves.
    pub(crate) mix: Option<(Tensor, f64)>,
}

impl Targets {
    pub(crate) fn new(batch: &nc_data::Batch) -> Result<Self> {
        let device = batch.images.device();
        let tensor = |labels: &[u32]| Tensor::from_slice(labels, labels.len(), device);
        let mix = match &batch.mix {
            Some(mix) => Some((tensor(&mix.partner)?, mix.lambda)),
            None => None,
        };
        Ok(Self { labels: tensor(&batch.labels)?, mix })
    }

    /// lambda loss(y) + (1 - lambda) loss(y of the partner); loss(y) where nothing is mixed.
    pub(crate) fn mixed(&self, loss: impl Fn(&Tensor) -> nc_losses::Result<Tensor>) -> Result<Tensor> {
        Ok(match &self.mix {
            Some((partner, lambda)) => nc_losses::mixed(&self.labels, partner, *lambda, loss)?,
            None => loss(&self.labels)?,
        })
    }
}

/// The loss of a batch with its terms, which stand without their weights.
pub(crate) struct BatchLoss {
    pub(crate) total: Tensor,
    pub(crate) supervised: Tensor,
    pub(crate) within_class: Option<Tensor>,
    pub(crate) between_class: Option<Tensor>,
}

impl BatchLoss {
    pub(crate) fn values(&self) -> Result<EpochLosses> {
        let value = |tensor: &Tensor| Ok::<_, Error>(f64::from(tensor.to_scalar::<f32>()?));
        Ok(EpochLosses {
            total: value(&self.total)?,
            supervised: value(&self.supervised)?,
            within_class: self.within_class.as_ref().map(value).transpose()?,
            between_class: self.between_class.as_ref().map(value).transpose()?,
        })
    }
}

/// An [`Objective`] at work: with the class weights of the epoch and the centres as they stand.
pub(crate) struct Criterion {
    objective: Objective,
    class_counts: Vec<usize>,
    /// The head's factor on cosines.
    scale: f64,
    class_weights: Option<Tensor>,
    /// The regularisers, once their start epoch has come.
    active: Option<NeuralCollapse>,
    centers: Option<Var>,
}

impl Criterion {
    pub(crate) fn new(objective: &Objective, class_counts: &[usize], head: HeadKind) -> Self {
        Self {
            objective: objective.clone(),
            class_counts: class_counts.to_vec(),
            scale: if let HeadKind::Cosine { scale } = head { scale } else { 1.0 },
            class_weights: None,
            active: None,
            centers: None,
        }
    }

    /// Learnable centres, once their start epoch has come.
    pub(crate) fn centers(&self) -> Option<&Var> {
        self.centers.as_ref()
    }

    /// Centres of an earlier session, which take the place of their first values.
    pub(crate) fn resume(&mut self, centers: Option<Var>) {
        self.centers = centers;
    }

    /// Prepares for `epoch`. `class_means` measures the class means (K, P) of the training features, for centres
    /// that start there; `feature_dim` is P.
    pub(crate) fn begin_epoch(
        &mut self,
        epoch: usize,
        seed: u64,
        feature_dim: usize,
        device: &Device,
        class_means: impl FnOnce() -> Result<Tensor>,
    ) -> Result<()> {
        let weights = self.objective.reweighting.weights(epoch, &self.class_counts);
        self.class_weights = match weights {
            Some(weights) => {
                let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
                Some(Tensor::new(weights, device)?)
            }
            None => None,
        };
        match &self.objective.neural_collapse {
            Some(nc) if self.active.is_none() && epoch >= nc.start_epoch => {
                if self.centers.is_none() {
                    let dims = (self.classes(), feature_dim);
                    self.centers = nc.centers.first(dims, seed, device, class_means)?;
                }
                self.active = Some(nc.clone());
            }
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn has_class_weights(&self) -> bool {
        self.class_weights.is_some()
    }

    /// L = L_sup + lambda1 L_W + lambda2 L_B of what the model with this `head` made of a batch.
    pub(crate) fn loss(&self, output: &Output, targets: &Targets, head: &dyn Head) -> Result<BatchLoss> {
        let directions = head.weight()?;
        let supervised = targets.mixed(|labels| {
            self.objective.loss.method().of(&Labelled {
                features: &output.features,
                logits: &output.logits,
                labels,
                class_counts: &self.class_counts,
                class_weights: self.class_weights.as_ref(),
                directions: &directions,
                scale: self.scale,
            })
        })?;
        let mut loss =
            BatchLoss { total: supervised.clone(), supervised, within_class: None, between_class: None };
        let Some(nc) = &self.active else { return Ok(loss) };
        if nc.within_weight > 0.0 {
            let within = targets.mixed(|labels| self.within(nc, &output.features, labels))?;
            loss.total = (loss.total + (&within * nc.within_weight)?)?;
            loss.within_class = Some(within);
        }
        if nc.between_weight > 0.0 {
            let between = self.between(nc, &output.features, targets)?;
            loss.total = (loss.total + (&between * nc.between_weight)?)?;
            loss.between_class = Some(between);
        }
        Ok(loss)
    }

    /// L_W, or centre loss, for one set of labels.
    fn within(&self, nc: &NeuralCollapse, features: &Tensor, labels: &Tensor) -> nc_losses::Result<Tensor> {
        let centers = match (nc.centers, &self.centers) {
            (Centers::MovingAverage { momentum, .. }, Some(old)) => {
                centers::moved(&old.as_detached_tensor(), momentum, &features.detach(), labels)?
            }
            (_, Some(learnable)) => learnable.as_tensor().clone(),
            (_, None) => centers::batch_means(features, labels, self.classes())?,
        };
        match nc.within_form {
            WithinForm::ByClass => nc_losses::within_class(features, labels, &centers),
            WithinForm::BySample => nc_losses::center_loss(features, labels, &centers),
        }
    }

    /// L_B, for both sets of labels where it depends on them.
    fn between(&self, nc: &NeuralCollapse, features: &Tensor, targets: &Targets) -> Result<Tensor> {
        let form = nc.between_form.into();
        match (nc.centers, &self.centers) {
            (Centers::MovingAverage { momentum, .. }, Some(old)) => targets.mixed(|labels| {
                let moved = centers::moved(&old.as_detached_tensor(), momentum, features, labels)?;
                nc_losses::between_class(&moved, form)
            }),
            (_, Some(learnable)) => Ok(nc_losses::between_class(learnable, form)?),
            (_, None) => targets.mixed(|labels| {
                let present = nc_losses::class_means(features, labels, self.classes())?;
                nc_losses::between_class(&present.means, form)
            }),
        }
    }

    /// K.
    fn classes(&self) -> usize {
        self.class_counts.len()
    }

    /// Moves the centres. Returns the norm of their gradient, 0 if they have none; if it is not finite, they stay.
    pub(crate) fn step_centers(
        &self,
        gradients: &GradStore,
        features: &Tensor,
        targets: &Targets,
    ) -> Result<f64> {
        let (Some(centers), Some(nc)) = (&self.centers, &self.active) else { return Ok(0.0) };
        match nc.centers {
            Centers::Learnable { learning_rate, .. } => {
                centers::descend(centers, learning_rate, nc.within_weight, gradients)
            }
            Centers::MovingAverage { momentum, .. } => {
                centers::average(centers, momentum, features, targets).map(|()| 0.0)
            }
            Centers::BatchMeans => Ok(0.0),
        }
    }
}
