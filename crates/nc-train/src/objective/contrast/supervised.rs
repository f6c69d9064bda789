use candle_core::{Tensor, backprop::GradStore};
use nc_data::rng::{Purpose, stream};
use rand::Rng;

use super::{
    momentum_encoder::MomentumEncoder,
    positives::{OwnColumns, Pairs},
    queue::Queue,
    targets::AssignedTargets,
};
use crate::{
    Error, Result, config,
    config::UniformTargets,
    objective::{
        embeddings::Embeddings,
        term::{EpochContext, Part, StepContext, Term},
    },
};

/// Supervised contrast with all or k positives (Khosla et al. 2020; KCL, Kang et al. 2021), with or without targets (TSC, Li
/// et al. 2022), within the batch or against a queue.
pub(super) struct SupervisedContrast {
    weight: f64,
    temperature: f64,
    first_view: usize,
    positives: Option<usize>,
    targets: Option<AssignedTargets>,
    memory: Option<Memory>,
    seed: u64,
    epoch: usize,
}

/// Embeddings of earlier batches.
struct Memory {
    encoder: MomentumEncoder,
    queue: Queue,
    /// Keys of the current step, which join the queue after it.
    keys: Option<Tensor>,
}

impl SupervisedContrast {
    /// Contrast of all views from `first_view`, with all positives of the batch.
    pub(super) fn new(weight: f64, temperature: f64, first_view: usize) -> Self {
        Self {
            weight,
            temperature,
            first_view,
            positives: None,
            targets: None,
            memory: None,
            seed: 0,
            epoch: 0,
        }
    }

    pub(super) fn with(
        self,
        positives: Option<usize>,
        targets: Option<UniformTargets>,
        queue: Option<config::Queue>,
    ) -> Self {
        let memory = queue.map(|queue| Memory {
            encoder: MomentumEncoder::new(queue.momentum),
            queue: Queue::new(queue),
            keys: None,
        });
        Self { positives, targets: targets.map(AssignedTargets::new), memory, ..self }
    }

    /// Cosines between the embeddings of all views.
    fn within_batch(&self, embeddings: &Embeddings, rng: &mut impl Rng) -> Result<(Tensor, Pairs)> {
        let (labels, images) = (&embeddings.labels().host, embeddings.images);
        let columns: Vec<Option<u32>> = labels.iter().copied().map(Some).collect();
        let own = |row: usize| {
            let views = (row % images..labels.len()).step_by(images).filter(|&column| column != row);
            OwnColumns { itself: Some(row), views: views.collect() }
        };
        let pairs = Pairs::new(labels, &columns, own, self.positives, rng);
        Ok((embeddings.tensor.matmul(&embeddings.tensor.t()?)?, pairs))
    }
}

impl Memory {
    /// Cosines of embeddings to the key of the same image, in column 0, and to the queue.
    fn compare(
        &mut self,
        step: &StepContext<'_>,
        embeddings: &Embeddings,
        positives: Option<usize>,
        rng: &mut impl Rng,
    ) -> Result<(Tensor, Pairs)> {
        let view = step.batch.views.last().ok_or(Error::NoProjection)?;
        let keys = self.encoder.embed(step.network, &view.images, step.precision)?;
        let mut cosines = (&embeddings.tensor * &keys)?.sum_keepdim(1)?;
        if let Some(queued) = &self.queue.keys {
            cosines = Tensor::cat(&[&cosines, &embeddings.tensor.matmul(&queued.t()?)?], 1)?;
        }
        self.keys = Some(keys);
        let queued = self.queue.labels.iter().copied().map(Some);
        let columns: Vec<Option<u32>> = [None].into_iter().chain(queued).collect();
        let own = |_| OwnColumns { itself: None, views: vec![0] };
        Ok((cosines, Pairs::new(&embeddings.labels().host, &columns, own, positives, rng)))
    }
}

impl Term for SupervisedContrast {
    fn uses_variables(&self) -> bool {
        self.memory.is_some()
    }

    fn begin_epoch(&mut self, epoch: &EpochContext<'_>) -> Result<()> {
        (self.seed, self.epoch) = (epoch.seed, epoch.epoch);
        Ok(())
    }

    fn parts(&mut self, step: &StepContext<'_>) -> Result<Vec<Part>> {
        let embeddings = Embeddings::of(step, self.first_view)?;
        // The first image tells the batches of an epoch apart.
        let batch = step.batch.first().positions.first().copied().unwrap_or(0);
        let mut rng = stream(self.seed, Purpose::Positives, self.epoch as u64, u64::from(batch));
        let positives = self.positives;
        let (mut cosines, mut pairs) = match &mut self.memory {
            None => self.within_batch(&embeddings, &mut rng)?,
            Some(memory) => memory.compare(step, &embeddings, positives, &mut rng)?,
        };
        let mut mass = 1.0;
        let (epoch, seed) = (self.epoch, self.seed);
        if let Some(targets) = self.targets.as_mut().filter(|targets| epoch >= targets.settings.from_epoch) {
            let labels = embeddings.labels();
            let (rows, of_class) = targets.assign(&embeddings.tensor, labels, step.classes, seed)?;
            cosines = Tensor::cat(&[&cosines, &embeddings.tensor.matmul(&rows.t()?)?], 1)?;
            let weight = targets.settings.weight;
            pairs = pairs.with_targets(&labels.host, &of_class, weight);
            mass += weight;
        }
        let (positives, denominators) = pairs.tensors(cosines.device())?;
        let each = nc_losses::contrastive_each(&(cosines / self.temperature)?, &positives, &denominators)?;
        Ok(vec![Part { name: "contrast", weight: self.weight, value: (each.mean()? * mass)? }])
    }

    fn after_step(&mut self, step: &StepContext<'_>, _: &GradStore) -> Result<()> {
        let Some(memory) = &mut self.memory else { return Ok(()) };
        if let (Some(keys), Some(view)) = (memory.keys.take(), step.batch.views.last()) {
            memory.queue.push(&keys, &view.labels)?;
        }
        memory.encoder.follow(step.network)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let mut state = self.targets.as_ref().map(AssignedTargets::state).unwrap_or_default();
        if let Some(memory) = &self.memory {
            state.extend(memory.queue.state()?);
            state.extend(memory.encoder.state());
        }
        Ok(state)
    }

    fn restore(&mut self, name: &str, tensor: &Tensor) -> Result<bool> {
        if self.targets.as_mut().is_some_and(|targets| targets.restore(name, tensor)) {
            return Ok(true);
        }
        let Some(memory) = &mut self.memory else { return Ok(false) };
        Ok(memory.encoder.restore(name, tensor) || memory.queue.restore(name, tensor)?)
    }
}
