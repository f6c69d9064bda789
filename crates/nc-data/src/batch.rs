use std::sync::Arc;

use candle_core::Device;

use crate::{
    Result, Subset, View,
    augment::Placement,
    rng::{Purpose, stream, view_index},
    view::{Plan, PreparedView, ViewRecipe},
};

/// The views of one training step, in the order of [`LoaderConfig::views`](crate::LoaderConfig::views), all with the
/// same number of images.
#[derive(Clone, Debug)]
pub struct Batch {
    /// At least one view.
    pub views: Vec<View>,
}

impl Batch {
    /// View 0.
    ///
    /// # Panics
    ///
    /// If `views` is empty, which no batch of a [`Loader`](crate::Loader) has.
    pub fn first(&self) -> &View {
        &self.views[0]
    }

    /// View 0, for batches of one view.
    ///
    /// # Panics
    ///
    /// As [`Batch::first`].
    pub fn into_first(mut self) -> View {
        self.views.swap_remove(0)
    }
}

/// Validated configuration of a [`Loader`](crate::Loader).
pub(crate) struct Recipe {
    pub(crate) subset: Subset,
    pub(crate) batch_size: usize,
    /// A smaller incomplete last batch is skipped, unless it is the only one.
    pub(crate) smallest_batch: usize,
    pub(crate) views: Vec<ViewRecipe>,
    /// Number of epochs, for samplers that depend on it.
    pub(crate) epochs: Option<usize>,
    /// Normalised value of each byte, per channel.
    pub(crate) tables: Vec<[f32; 256]>,
    pub(crate) seed: u64,
}

/// For each view, the subset positions of an epoch's images.
pub(crate) type Plans = Vec<Arc<[u32]>>;

impl Recipe {
    /// Number of batches per epoch.
    pub(crate) fn batches(&self) -> usize {
        let (complete, rest) = (self.subset.len() / self.batch_size, self.subset.len() % self.batch_size);
        complete + usize::from(rest > 0 && (rest >= self.smallest_batch || complete == 0))
    }

    pub(crate) fn plans(&self, epoch: usize) -> Plans {
        let mut plans = Plans::with_capacity(self.views.len());
        for (index, view) in self.views.iter().enumerate() {
            plans.push(match view.plan {
                Plan::Sampled(sampler) => {
                    let rng = stream(self.seed, Purpose::Plan, epoch as u64, index as u64);
                    sampler.checked_plan(&self.subset, epoch, self.epochs, rng).into()
                }
                Plan::Sequential => (0..self.subset.len() as u32).collect(),
                Plan::SameAs(earlier) => Arc::clone(&plans[earlier]),
            });
        }
        plans
    }

    /// Batch `number` of `epoch`, whose images `plans` lists.
    pub(crate) fn prepare(&self, plans: &Plans, epoch: usize, number: usize) -> Prepared {
        let view = |(index, plan): (usize, &Arc<[u32]>)| self.prepare_view(index, plan, epoch, number);
        Prepared { views: plans.iter().enumerate().map(view).collect() }
    }

    fn prepare_view(&self, index: usize, plan: &[u32], epoch: usize, number: usize) -> PreparedView {
        let ViewRecipe { augment, mixer, .. } = self.views[index];
        let random =
            |purpose, place: usize| stream(self.seed, purpose, epoch as u64, view_index(index, place));
        let start = number * self.batch_size;
        let positions = &plan[start..plan.len().min(start + self.batch_size)];
        let shape = self.subset.dataset().shape();
        let mut images = vec![0.0; positions.len() * shape.values()];
        let mut labels = Vec::with_capacity(positions.len());
        for (place, (&position, out)) in
            positions.iter().zip(images.chunks_exact_mut(shape.values())).enumerate()
        {
            let position = position as usize;
            labels.push(self.subset.labels()[position]);
            let placement = augment.map_or_else(Placement::default, |augment| {
                augment.draw(&mut random(Purpose::Augment, start + place))
            });
            placement.write(self.subset.image(position), shape, &self.tables, out);
        }
        let mix = mixer.map(|mixer| mixer.mix(&mut images, &labels, &mut random(Purpose::Mix, number)));
        let dims = (labels.len(), shape.channels, shape.height, shape.width);
        PreparedView { images, dims, labels, positions: positions.to_vec(), mix }
    }
}

/// A batch in host memory.
#[derive(Debug)]
pub(crate) struct Prepared {
    views: Vec<PreparedView>,
}

impl Prepared {
    pub(crate) fn on(self, device: &Device) -> Result<Batch> {
        let views = self.views.into_iter().map(|view| view.on(device));
        Ok(Batch { views: views.collect::<Result<_>>()? })
    }
}
