use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use candle_core::{DType, Device, Tensor, backprop::GradStore};
use nc_data::Batch;
use nc_models::{Branch, Network, ParamStore, Pass, Precision, Role};
use nc_record::EpochLosses;

use crate::{
    Error, Result,
    config::{Phase, Trains},
    divergence::NotFinite,
    objective::{EpochContext, MeasureMeans, Part, StepContext, Targets, Term, sum, terms},
    optimizer::{Trainable, Updates},
    with_values::with_values,
};

/// Network, objective and optimiser: the state that a training step changes, without directories, logs or clocks.
///
/// [`train`](crate::train) adds data, evaluation, checkpoints and records. A custom training loop calls it directly:
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use nc_data::{Batch, View};
/// use nc_models::{HeadConfig, Model, ParamStore, ResNet, ResNetConfig};
/// use nc_train::{Learner, presets};
///
/// let experiment = presets::find("fashion-mnist-lt/nc-drw")?;
/// let params = ParamStore::new(0, &Device::Cpu);
/// let resnet = ResNet::new(ResNetConfig::cifar(8, 1, 1)?, &params.builder())?;
/// let network = Model::new(params, resnet, &HeadConfig::Linear, 3)?;
///
/// let mut learner = Learner::new(Box::new(network), &[30, 10, 2]);
/// learner.begin_phase(&experiment.phases[0])?;
/// learner.begin_epoch(0, 0, &|_, _| unreachable!("this preset initialises centres from N(0, 1)"))?;
/// let images = Tensor::zeros((2, 1, 8, 8), DType::F32, &Device::Cpu)?;
/// let batch = Batch { views: vec![View { images, labels: vec![0, 2], positions: vec![0, 41], mix: None }] };
/// let outcome = learner.step(&batch, 0.1)?;
/// assert!(outcome.losses.total > 0.0 && outcome.not_finite().is_none());
/// # Ok::<(), nc_train::Error>(())
/// ```
pub struct Learner {
    network: Box<dyn Network>,
    class_counts: Vec<usize>,
    precision: Precision,
    phase: Option<Active>,
}

/// State of the current phase.
struct Active {
    trains: Trains,
    pass: Pass,
    precision: Precision,
    /// Views of a batch that the network sees.
    network_views: usize,
    terms: Vec<Box<dyn Term>>,
    /// Locked by readers, who copy it from a GPU.
    updates: Mutex<Updates>,
    /// Radius of sharpness-aware minimisation; 0 without.
    sam_rho: f64,
}

/// One forward and backward pass.
struct BackwardPass {
    branches: Vec<Branch>,
    gradients: GradStore,
    outcome: StepOutcome,
}

/// Losses and gradient norms of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepOutcome {
    /// Total loss of the batch, and its unweighted terms, before the step.
    pub losses: EpochLosses,
    /// Gradient norm of the network's parameters; with sharpness-aware minimisation, of the gradient that updates them.
    pub gradient_norm: f64,
    /// Gradient norm of the objective's own parameters, the learnable centres.
    pub objective_gradient_norm: f64,
}

impl StepOutcome {
    /// The non-finite quantity because of which the step was skipped; `None` if it was taken.
    pub fn not_finite(&self) -> Option<NotFinite> {
        if !self.losses.total.is_finite() {
            return Some(NotFinite::Loss);
        }
        let norms = [self.objective_gradient_norm, self.gradient_norm];
        norms.into_iter().find(|norm| !norm.is_finite()).map(NotFinite::Gradient)
    }
}

/// Prefix of the network's tensors in a learner's state.
const MODEL: &str = "model/";

impl Learner {
    /// A learner of `network` on a training set with `class_counts` images per class. Call [`Learner::begin_phase`]
    /// next.
    pub fn new(network: Box<dyn Network>, class_counts: &[usize]) -> Self {
        Self { network, class_counts: class_counts.to_vec(), precision: Precision::F32, phase: None }
    }

    /// Trains the layers before the features in `precision`, from the next phase on.
    #[must_use]
    pub fn in_precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// Prepares for `phase`: creates its objective and optimiser, and re-initialises the classifier if the phase
    /// retrains it.
    ///
    /// # Errors
    ///
    /// For a phase that does not fit the network, such as logit factors on a cosine head.
    pub fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        self.end_phase()?;
        if phase.trains == Trains::NewClassifier {
            self.network.redraw_classifier(&phase.name)?;
        }
        self.enter_phase(phase)
    }

    /// Resumes `phase` from `state`, as returned by [`Learner::state`] and read from `path`.
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
        let params = self.network.params();
        self.phase.as_mut().map_or(Ok(()), |phase| phase.restore(params, state, path))
    }

    fn enter_phase(&mut self, phase: &Phase) -> Result<()> {
        if phase.trains.scales_logits() {
            self.network.scale_logits()?;
        }
        let learned = |param: nc_models::Param| {
            let rate = phase.trains.learning_rate_factor(param.group)?;
            (param.role == Role::Learned).then_some(Trainable { name: param.name, var: param.var, rate })
        };
        let params = self.network.params().all().into_iter().filter_map(learned).collect();
        let terms = terms(phase, &self.class_counts);
        let may_stay = !terms.iter().any(|term| term.uses_variables());
        self.phase = Some(Active {
            trains: phase.trains,
            pass: phase.pass(),
            precision: self.precision,
            network_views: phase.network_views(),
            terms,
            updates: Mutex::new(Updates::new(phase, params, may_stay)),
            sam_rho: phase.sam_rho,
        });
        Ok(())
    }

    /// Ends a phase and folds logit factors into the classifier.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub fn end_phase(&mut self) -> Result<()> {
        self.settle()?;
        match self.phase.take() {
            Some(phase) if phase.trains.scales_logits() => Ok(self.network.fold_scale()?),
            _ => Ok(()),
        }
    }

    /// Prepares for `epoch` of the phase: sets class weights and initialises centres, from `seed` or from
    /// `class_means`. The latter computes the class means of each branch's training features (K, P), or embeddings (K, D), in
    /// evaluation mode.
    ///
    /// # Errors
    ///
    /// [`Error::NoPhase`] before [`Learner::begin_phase`]; those of `class_means` and of Candle.
    pub fn begin_epoch(&mut self, epoch: usize, seed: u64, class_means: &MeasureMeans<'_>) -> Result<()> {
        self.settle()?;
        let network = self.network.as_ref();
        let device = network.params().device();
        let context = EpochContext { epoch, seed, network, device, class_means };
        let phase = self.phase.as_mut().ok_or(Error::NoPhase)?;
        phase.terms.iter_mut().try_for_each(|term| term.begin_epoch(&context))
    }

    /// Takes one step on `batch`: forward, backward, optimiser and state of the objective, with the class weights and
    /// regularisers of the last [`Learner::begin_epoch`]. If a loss or gradient is not finite, only running statistics
    /// and estimates of class means change; see [`StepOutcome::not_finite`].
    ///
    /// Sharpness-aware minimisation takes a second forward and backward pass. Each pass reads from the device once.
    ///
    /// With the GPU of [`nc_models::gpu::start`], trained parameters of its layers, optimiser state and averages stay there
    /// between steps; [`Learner::network`] copies them back. Each pass then reads once for each time that activations leave
    /// the GPU, and once the gradients' norms.
    ///
    /// # Errors
    ///
    /// [`Error::NoPhase`] before [`Learner::begin_phase`]; [`nc_losses::Error::Label`] for an invalid label; those of
    /// the network and the losses.
    pub fn step(&mut self, batch: &Batch, learning_rate: f64) -> Result<StepOutcome> {
        let classes = self.class_counts.len();
        let phase = self.phase.as_mut().ok_or(Error::NoPhase)?;
        let network = self.network.as_ref();
        let targets = batch.views.iter().map(|view| Targets::new(view, classes));
        let targets = targets.collect::<Result<Vec<_>>>()?;
        phase.updates().begin_step()?;
        let mut pass = phase.backward_pass(network, batch, &targets, classes)?;
        if phase.sam_rho > 0.0 && pass.outcome.not_finite().is_none() {
            let norm = pass.outcome.gradient_norm;
            let rho = phase.sam_rho;
            let weights = phase.updates().perturbed(&pass.gradients, rho, norm)?;
            let losses = pass.outcome.losses;
            // Frees the first pass before the second.
            drop((pass.branches, pass.gradients));
            pass = weights.with(|| phase.backward_pass(network, batch, &targets, classes))?;
            if pass.outcome.losses.total.is_finite() {
                pass.outcome.losses = losses;
            }
        }
        let BackwardPass { branches, gradients, outcome } = pass;
        if outcome.not_finite().is_none() {
            phase.updates().apply(&gradients, learning_rate, outcome.gradient_norm, network.params())?;
            let precision = phase.precision;
            let context =
                StepContext { network, branches: &branches, batch, targets: &targets, classes, precision };
            for term in &mut phase.terms {
                term.after_step(&context, &gradients)?;
            }
        }
        Ok(outcome)
    }

    /// Moves batch norm's running statistics towards those of `batch`; no other state changes.
    ///
    /// # Errors
    ///
    /// [`Error::NoPhase`] before [`Learner::begin_phase`]; those of the network.
    pub fn update_statistics(&mut self, batch: &Batch) -> Result<()> {
        self.settle()?;
        let phase = self.phase.as_ref().ok_or(Error::NoPhase)?;
        let pass = Pass { gradient: false, ..Pass::TRAIN };
        phase.forward(self.network.as_ref(), batch, pass).map(drop)
    }

    /// The result of `of` on the network with the moving average of its weights, see [`Phase::weight_average`]; `None` if
    /// the phase has none, or before its first step. Afterwards the network has its own weights again.
    ///
    /// # Errors
    ///
    /// Those of `of` and of Candle.
    pub fn with_average<T>(&self, of: impl FnOnce(&dyn Network) -> Result<T>) -> Result<Option<T>> {
        self.settle()?;
        let Some(phase) = &self.phase else { return Ok(None) };
        let values = phase.lock().average().map(|average| average.values(self.network.params()));
        match values {
            Some(values) if !values.is_empty() => {
                with_values(&values, || of(self.network.as_ref())).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The network, with the parameters of the last step.
    ///
    /// # Errors
    ///
    /// Those of a GPU on which the parameters are.
    pub fn network(&self) -> Result<&dyn Network> {
        self.settle()?;
        Ok(self.network.as_ref())
    }

    /// Copies what stays on a GPU between steps from there.
    fn settle(&self) -> Result<()> {
        self.phase.as_ref().map_or(Ok(()), |phase| phase.lock().settle())
    }

    /// All tensors that a step changes, by name.
    ///
    /// # Errors
    ///
    /// Those of Candle.
    pub(crate) fn state(&self) -> Result<BTreeMap<String, Tensor>> {
        self.settle()?;
        let model = self.network.params().vars().into_iter();
        let model = model.map(|(name, var)| (format!("{MODEL}{name}"), var.as_detached_tensor()));
        let Some(phase) = &self.phase else { return Ok(model.collect()) };
        let mut state: BTreeMap<_, _> = model.chain(phase.lock().state()?).collect();
        for term in &phase.terms {
            state.extend(term.state()?);
        }
        Ok(state)
    }
}

impl Active {
    fn lock(&self) -> MutexGuard<'_, Updates> {
        // A panic is a bug; what it left is not worse for the next reader.
        self.updates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn updates(&mut self) -> &mut Updates {
        self.updates.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Losses and gradients of a batch at the current weights.
    fn backward_pass(
        &mut self,
        network: &dyn Network,
        batch: &Batch,
        targets: &[Targets],
        classes: usize,
    ) -> Result<BackwardPass> {
        self.updates().begin_pass();
        let branches = self.forward(network, batch, self.pass)?;
        let precision = self.precision;
        let context = StepContext { network, branches: &branches, batch, targets, classes, precision };
        let mut parts = vec![];
        for term in &mut self.terms {
            parts.extend(term.parts(&context)?);
        }
        let total = total(&parts)?.ok_or(Error::NoTerms)?;
        let gradients = total.backward()?;
        let outcome = self.read(&total, &parts, &gradients)?;
        Ok(BackwardPass { branches, gradients, outcome })
    }

    /// The network's outputs for the views that it sees.
    fn forward(&self, network: &dyn Network, batch: &Batch, pass: Pass) -> Result<Vec<Branch>> {
        let images = batch.views.iter().take(self.network_views).map(|view| &view.images);
        let images: Vec<&Tensor> = images.collect();
        Ok(network.forward_views(&images, Pass { precision: self.precision, ..pass })?)
    }

    /// Reads losses and gradient norms from the device.
    fn read(&self, total: &Tensor, parts: &[Part], gradients: &GradStore) -> Result<StepOutcome> {
        let own = self.terms.iter().flat_map(|term| term.gradients(gradients));
        let own = own.map(squared_norm).collect::<Result<Vec<_>>>()?;
        let updates = self.lock();
        let of_params = updates.gradients(gradients).into_iter();
        let of_params = of_params.map(squared_norm).collect::<Result<Vec<_>>>()?;
        let on_gpu = updates.squared_norms()?;
        let losses = [total].into_iter().chain(parts.iter().map(|part| &part.value));
        let scalars: Vec<Tensor> =
            losses.map(Tensor::detach).chain(own.iter().cloned()).chain(of_params).collect();
        let values = read_scalars(&scalars)?;
        let (losses, norms) = values.split_at(1 + parts.len());
        let (own, of_params) = norms.split_at(own.len());
        let norm = |squares: &[f64], others: &[f64]| squares.iter().chain(others).sum::<f64>().sqrt();
        let names = parts.iter().map(|part| part.name.to_owned());
        Ok(StepOutcome {
            losses: EpochLosses { total: losses[0], terms: names.zip(losses[1..].iter().copied()).collect() },
            gradient_norm: norm(of_params, &on_gpu),
            objective_gradient_norm: norm(own, &[]),
        })
    }

    /// Restores the tensors of optimiser, objective and average, which were read from `path`.
    fn restore(&mut self, params: &ParamStore, state: BTreeMap<String, Tensor>, path: &Path) -> Result<()> {
        for (name, tensor) in state {
            let mut known = self.updates().restore(params, &name, &tensor)?;
            for term in &mut self.terms {
                known = known || term.restore(&name, &tensor)?;
            }
            if !known {
                return Err(Error::UnknownTensor { path: path.to_owned(), name });
            }
        }
        Ok(())
    }
}

/// The weighted sum of `parts`; `None` without parts.
fn total(parts: &[Part]) -> Result<Option<Tensor>> {
    sum(parts.iter().map(|Part { weight, value, .. }| {
        Ok(if *weight == 1.0 { value.clone() } else { (value * *weight)? })
    }))
}

fn squared_norm(gradient: &Tensor) -> Result<Tensor> {
    Ok(gradient.detach().sqr()?.sum_all()?)
}

/// Reads `scalars` from the device in one transfer. A step reads nowhere else.
fn read_scalars(scalars: &[Tensor]) -> Result<Vec<f64>> {
    #[cfg(test)]
    tests::READS.set(tests::READS.get() + 1);
    let values = Tensor::stack(scalars, 0)?.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    Ok(values.to_vec1()?)
}

#[cfg(test)]
mod tests;
