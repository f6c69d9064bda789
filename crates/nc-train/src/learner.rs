use std::{collections::BTreeMap, path::Path};

use candle_core::{DType, Device, Tensor, backprop::GradStore};
use nc_data::Batch;
use nc_models::{Network, Role};
use nc_record::EpochLosses;

use crate::{
    Error, Result,
    config::{Phase, Trains},
    divergence::NotFinite,
    objective::{EpochContext, Part, StepContext, Targets, Term, terms},
    optimizer::{Sgd, Trainable},
};

/// Network, objective and optimiser: everything that a training step changes. It knows no directory, log or clock.
///
/// [`train`](crate::train) runs it with data, evaluation, checkpoints and records. By itself it is a training step for a
/// loop of your own:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use nc_data::{Batch, View};
/// use nc_models::{HeadConfig, Model, ParamStore, ResNet, ResNetConfig};
/// use nc_train::{Learner, presets};
///
/// let experiment = presets::find("fashion-mnist-lt/nc-drw")?;
/// let params = ParamStore::new(0, &Device::Cpu);
/// let resnet = ResNet::new(ResNetConfig { depth: 8, in_channels: 1, width: 1 }, &params.builder())?;
/// let network = Model::new(params, resnet, &HeadConfig::Linear, 3)?;
///
/// let mut learner = Learner::new(Box::new(network), &[30, 10, 2]);
/// learner.begin_phase(&experiment.phases[0])?;
/// learner.begin_epoch(0, 0, &|_| unreachable!("centres of this preset start at N(0, 1)"))?;
/// let images = Tensor::zeros((2, 1, 8, 8), DType::F32, &Device::Cpu)?;
/// let batch = Batch { views: vec![View { images, labels: vec![0, 2], positions: vec![0, 41], mix: None }] };
/// let outcome = learner.step(&batch, 0.1)?;
/// assert!(outcome.losses.total > 0.0 && outcome.not_finite().is_none());
/// # Ok::<(), nc_train::Error>(())
/// ```
pub struct Learner {
    network: Box<dyn Network>,
    class_counts: Vec<usize>,
    phase: Option<Active>,
}

/// State of the current phase.
struct Active {
    trains: Trains,
    terms: Vec<Box<dyn Term>>,
    optimizer: Sgd,
    params: Vec<Trainable>,
}

/// Values read back from the device after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// The loss of the batch, and its terms without their weights.
    pub losses: EpochLosses,
    /// The norm of the gradients of the network's parameters.
    pub gradient_norm: f64,
    /// The norm of the gradients of the objective's own parameters: learnable centres.
    pub objective_gradient_norm: f64,
}

impl StepOutcome {
    /// The reason why no step was taken, if none was.
    pub fn not_finite(&self) -> Option<NotFinite> {
        if !self.losses.total.is_finite() {
            return Some(NotFinite::Loss);
        }
        let norms = [self.objective_gradient_norm, self.gradient_norm];
        norms.into_iter().find(|norm| !norm.is_finite()).map(NotFinite::Gradient)
    }
}

/// Prefixes of tensor names in a learner's state.
const MODEL: &str = "model/";
const MOMENTUM: &str = "momentum/";

impl Learner {
    /// A learner of `network` on a training set with these images of each class. [`Learner::begin_phase`] comes next.
    pub fn new(network: Box<dyn Network>, class_counts: &[usize]) -> Self {
        Self { network, class_counts: class_counts.to_vec(), phase: None }
    }

    /// Prepares for `phase`: its objective, a new optimiser, and, where it retrains the classifier, a new one.
    ///
    /// # Errors
    ///
    /// If the phase trains what the network does not have, such as factors on the logits of a cosine head.
    pub fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        self.end_phase()?;
        if phase.trains == Trains::NewClassifier {
            self.network.redraw_classifier(&phase.name)?;
        }
        self.enter_phase(phase)
    }

    /// Prepares for the rest of `phase`, from the `state` that [`Learner::state`] gave in it. `path` is its file.
    pub(crate) fn resume_phase(
        &mut self,
        phase: &Phase,
        mut state: BTreeMap<String, Tensor>,
        path: &Path,
    ) -> Result<()> {
        self.enter_phase(phase)?;
        for (name, var) in self.network.params().vars() {
            match state.remove(&format!("{MODEL}{name}")) {
                Some(tensor) if tensor.dims() == var.dims() => var.set(&tensor)?,
                other => {
                    return Err(Error::OtherModel {
                        path: path.to_owned(),
                        parameter: name,
                        expected: var.dims().to_vec(),
                        found: other.map(|tensor| tensor.dims().to_vec()),
                    });
                }
            }
        }
        self.phase.as_mut().map_or(Ok(()), |phase| phase.restore(state, path))
    }

    fn enter_phase(&mut self, phase: &Phase) -> Result<()> {
        if phase.trains.scales_logits() {
            self.network.scale_logits()?;
        }
        let learned = |param: nc_models::Param| {
            let rate = phase.trains.learning_rate_factor(param.group)?;
            (param.role == Role::Learned).then_some(Trainable { name: param.name, var: param.var, rate })
        };
        self.phase = Some(Active {
            trains: phase.trains,
            terms: terms(&phase.objective, &self.class_counts),
            optimizer: Sgd::new(phase.optimizer),
            params: self.network.params().all().into_iter().filter_map(learned).collect(),
        });
        Ok(())
    }

    /// Ends a phase: factors on the logits become part of the classifier.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn end_phase(&mut self) -> Result<()> {
        match self.phase.take() {
            Some(phase) if phase.trains.scales_logits() => Ok(self.network.fold_scale()?),
            _ => Ok(()),
        }
    }

    /// Prepares for `epoch` of the phase: class weights, and the first values of centres, drawn from `seed` or measured
    /// by `class_means`, the class means (K, P) of the training features in evaluation mode.
    ///
    /// # Errors
    ///
    /// [`Error::NoPhase`] before [`Learner::begin_phase`]; those of `class_means` and of Candle.
    pub fn begin_epoch(
        &mut self,
        epoch: usize,
        seed: u64,
        class_means: &dyn Fn(&dyn Network) -> Result<Tensor>,
    ) -> Result<()> {
        let network = self.network.as_ref();
        let device = network.params().device();
        let context = EpochContext { epoch, seed, network, device, class_means };
        let phase = self.phase.as_mut().ok_or(Error::NoPhase)?;
        phase.terms.iter_mut().try_for_each(|term| term.begin_epoch(&context))
    }

    /// One step on `batch`, with the class weights and regularisers of the last [`Learner::begin_epoch`]: forward, backward, optimiser, and the objective's own state. If a loss or a gradient is not
    /// finite, nothing but running statistics has changed, see [`StepOutcome::not_finite`].
    ///
    /// Losses and gradient norms are read back from the device together, once.
    ///
    /// # Errors
    ///
    /// [`Error::NoPhase`] before [`Learner::begin_phase`], [`nc_losses::Error::Label`] for a label that is no class; those
    /// of the network and the losses.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) -> Result<StepOutcome> {
        let phase = self.phase.as_mut().ok_or(Error::NoPhase)?;
        let images: Vec<&Tensor> = batch.views.iter().map(|view| &view.images).collect();
        let branches = self.network.forward_views(&images, phase.trains.pass())?;
        let classes = self.class_counts.len();
        let targets = batch.views.iter().map(|view| Targets::new(view, classes));
        let targets = targets.collect::<Result<Vec<_>>>()?;
        let context = StepContext { network: self.network.as_ref(), branches: &branches, targets: &targets };
        let mut parts = vec![];
        for term in &phase.terms {
            parts.extend(term.parts(&context)?);
        }
        let total = total(&parts)?.ok_or(Error::NoTerms)?;
        let gradients = total.backward()?;
        let outcome = phase.read(&total, &parts, &gradients)?;
        if outcome.not_finite().is_none() {
            phase.optimizer.apply(&phase.params, &gradients, learning_rate, outcome.gradient_norm)?;
            for term in &mut phase.terms {
                term.after_step(&context, &gradients)?;
            }
        }
        Ok(outcome)
    }

    /// The network.
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// All tensors that change from step to step, by name.
    pub(crate) fn state(&self) -> BTreeMap<String, Tensor> {
        let model = self.network.params().vars().into_iter();
        let model = model.map(|(name, var)| (format!("{MODEL}{name}"), var.as_detached_tensor()));
        let Some(phase) = &self.phase else { return model.collect() };
        let momenta = phase.optimizer.momenta().iter();
        let momenta = momenta.map(|(name, momentum)| (format!("{MOMENTUM}{name}"), momentum.clone()));
        model.chain(momenta).chain(phase.terms.iter().flat_map(|term| term.state())).collect()
    }
}

impl Active {
    /// Reads losses and gradient norms.
    fn read(&self, total: &Tensor, parts: &[Part], gradients: &GradStore) -> Result<StepOutcome> {
        let own = self.terms.iter().flat_map(|term| term.gradients(gradients));
        let own = own.map(squared_norm).collect::<Result<Vec<_>>>()?;
        let of_params = self.params.iter().filter_map(|param| gradients.get(&param.var));
        let of_params = of_params.map(squared_norm).collect::<Result<Vec<_>>>()?;
        let losses = [total].into_iter().chain(parts.iter().map(|part| &part.value));
        let scalars: Vec<Tensor> =
            losses.map(Tensor::detach).chain(own.iter().cloned()).chain(of_params).collect();
        let values = read_scalars(&scalars)?;
        let (losses, norms) = values.split_at(1 + parts.len());
        let (own, of_params) = norms.split_at(own.len());
        let norm = |squares: &[f64]| squares.iter().sum::<f64>().sqrt();
        let names = parts.iter().map(|part| part.name.to_owned());
        Ok(StepOutcome {
            losses: EpochLosses { total: losses[0], terms: names.zip(losses[1..].iter().copied()).collect() },
            gradient_norm: norm(of_params),
            objective_gradient_norm: norm(own),
        })
    }

    /// Takes the momenta and the objective's tensors of an earlier session, which were read from `path`.
    fn restore(&mut self, state: BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
        let mut momenta = BTreeMap::new();
        for (name, tensor) in state {
            let of_param = name.strip_prefix(MOMENTUM);
            if let Some(param) = self.params.iter().find(|param| Some(param.name.as_str()) == of_param) {
                momenta.insert(param.name.clone(), tensor);
                continue;
            }
            let mut known = false;
            for term in &mut self.terms {
                known = known || term.restore(&name, &tensor)?;
            }
            if !known {
                return Err(Error::UnknownTensor { path: path.to_owned(), name });
            }
        }
        self.optimizer.resume(momenta);
        Ok(())
    }
}

/// The weighted sum of `parts`; none without parts.
fn total(parts: &[Part]) -> Result<Option<Tensor>> {
    let mut total: Option<Tensor> = None;
    for Part { weight, value, .. } in parts {
        let weighted = if *weight == 1.0 { value.clone() } else { (value * *weight)? };
        total = Some(match total {
            Some(sum) => (sum + weighted)?,
            None => weighted,
        });
    }
    Ok(total)
}

fn squared_norm(gradient: &Tensor) -> Result<Tensor> {
    Ok(gradient.detach().sqr()?.sum_all()?)
}

/// The one place where a step reads from the device: `scalars`, together.
fn read_scalars(scalars: &[Tensor]) -> Result<Vec<f64>> {
    #[cfg(test)]
    tests::READS.set(tests::READS.get() + 1);
    let values = Tensor::stack(scalars, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(values.to_vec1()?)
}

#[cfg(test)]
mod tests;
