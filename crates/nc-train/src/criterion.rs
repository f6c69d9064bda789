//! The loss of a batch, and the steps of the centres it acts on.

use candle_core::{Device, Tensor, Var, backprop::GradStore};
use candle_nn::Init;
use nc_models::{Output, ParamStore};
use nc_record::EpochLosses;

use crate::{CenterInit, Centers, Error, HeadKind, NeuralCollapse, Objective, Result, optimizer::norm};

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
    fn mixed(&self, loss: impl Fn(&Tensor) -> nc_losses::Result<Tensor>) -> Result<Tensor> {
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
    /// that start there; `features` is P.
    pub(crate) fn begin_epoch(
        &mut self,
        epoch: usize,
        seed: u64,
        features: usize,
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
                if let (Centers::Learnable { init, .. }, None) = (nc.centers, &self.centers) {
                    let centers = match init {
                        CenterInit::ClassMeans => Var::from_tensor(&class_means()?)?,
                        CenterInit::Normal => {
                            let dims = (self.classes(), features);
                            let normal = Init::Randn { mean: 0.0, stdev: 1.0 };
                            let store = ParamStore::new(seed, device);
                            Var::from_tensor(&store.builder().get_with_hints(dims, "centers", normal)?)?
                        }
                    };
                    self.centers = Some(centers);
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

    /// L = L_sup + lambda1 L_W + lambda2 L_B of what the model made of a batch.
    pub(crate) fn loss(&self, output: &Output, targets: &Targets) -> Result<BatchLoss> {
        let supervised = targets.mixed(|labels| self.supervised(&output.logits, labels))?;
        let mut loss =
            BatchLoss { total: supervised.clone(), supervised, within_class: None, between_class: None };
        let Some(nc) = &self.active else { return Ok(loss) };
        if nc.within_weight > 0.0 {
            let within = targets.mixed(|labels| match &self.centers {
                Some(centers) => nc_losses::within_class(&output.features, labels, centers),
                None => self.within_class_of_batch(&output.features, labels),
            })?;
            loss.total = (loss.total + (&within * nc.within_weight)?)?;
            loss.within_class = Some(within);
        }
        if nc.between_weight > 0.0 {
            let form = nc.between_form.into();
            let between = match &self.centers {
                Some(centers) => nc_losses::between_class(centers, form)?,
                None => targets.mixed(|labels| {
                    let present = nc_losses::class_means(&output.features, labels, self.classes())?;
                    nc_losses::between_class(&present.means, form)
                })?,
            };
            loss.total = (loss.total + (&between * nc.between_weight)?)?;
            loss.between_class = Some(between);
        }
        Ok(loss)
    }

    /// L_W about the means of the batch itself.
    fn within_class_of_batch(&self, features: &Tensor, labels: &Tensor) -> nc_losses::Result<Tensor> {
        let present = nc_losses::class_means(features, labels, self.classes())?;
        let rows = Tensor::new(present.classes, features.device())?;
        let means = Tensor::zeros((self.classes(), features.dim(1)?), features.dtype(), features.device())?
            .index_add(&rows, &present.means, 0)?;
        nc_losses::within_class(features, labels, &means)
    }

    fn supervised(&self, logits: &Tensor, labels: &Tensor) -> nc_losses::Result<Tensor> {
        let weights = self.class_weights.as_ref();
        self.objective.loss.of(logits, labels, &self.class_counts, weights, self.scale)
    }

    /// K.
    fn classes(&self) -> usize {
        self.class_counts.len()
    }

    /// Moves learnable centres: centers - alpha grad(L) / lambda1. Returns the norm of their gradient; if it is not
    /// finite, they stay.
    pub(crate) fn step_centers(&self, gradients: &GradStore) -> Result<f64> {
        let (Some(centers), Some(nc)) = (&self.centers, &self.active) else { return Ok(0.0) };
        let Centers::Learnable { learning_rate, .. } = nc.centers else { return Ok(0.0) };
        let Some(gradient) = gradients.get(centers) else { return Ok(0.0) };
        let norm = norm([gradient])?;
        if norm.is_finite() {
            let step = (gradient.detach() * (learning_rate / nc.within_weight))?;
            centers.set(&(centers.as_detached_tensor() - step)?)?;
        }
        Ok(norm)
    }
}
