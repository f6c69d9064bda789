use std::{ops::Range, sync::Arc};

use candle_core::Device;

use crate::{
    ImageShape, Result, Subset, View,
    rng::{ImageStreams, Purpose, stream, view_index},
    transform::Canvas,
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

/// An image of a view after its transforms, see [`Loader::samples`](crate::Loader::samples).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Position of the image in the subset.
    pub position: u32,
    /// Pixels (C, H, W) of the [shape of the view](crate::Loader::image_shape).
    pub pixels: Vec<u8>,
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
    pub(crate) fn prepare(
        &self,
        canvas: &mut Canvas,
        plans: &Plans,
        epoch: usize,
        number: usize,
    ) -> Prepared {
        let view =
            |(index, plan): (usize, &Arc<[u32]>)| self.prepare_view(canvas, index, plan, epoch, number);
        Prepared { views: plans.iter().enumerate().map(view).collect() }
    }

    fn prepare_view(
        &self,
        canvas: &mut Canvas,
        index: usize,
        plan: &[u32],
        epoch: usize,
        number: usize,
    ) -> PreparedView {
        let ViewRecipe { chain, mixer, .. } = &self.views[index];
        let start = number * self.batch_size;
        let positions = &plan[start..plan.len().min(start + self.batch_size)];
        let shape @ ImageShape { channels, height, width } = chain.output();
        let mut images = vec![0.0; positions.len() * shape.values()];
        let outputs = images.chunks_exact_mut(shape.values());
        for ((place, &position), out) in (start..).zip(positions).zip(outputs) {
            let streams = self.streams(index, epoch, place);
            chain.apply(self.subset.image(position as usize), streams, canvas, &self.tables, out);
        }
        let labels: Vec<u32> =
            positions.iter().map(|&position| self.subset.labels()[position as usize]).collect();
        let mix = mixer.map(|mixer| {
            let mut rng = stream(self.seed, Purpose::Mix, epoch as u64, view_index(index, number));
            mixer.mix(&mut images, &labels, &mut rng)
        });
        let dims = (labels.len(), channels, height, width);
        PreparedView { images, dims, labels, positions: positions.to_vec(), mix }
    }

    /// The random streams of the image at `place` of `epoch` in a view.
    fn streams(&self, view: usize, epoch: usize, place: usize) -> ImageStreams {
        ImageStreams { seed: self.seed, epoch: epoch as u64, index: view_index(view, place) }
    }

    /// Images of a view before normalisation and mix-up, see [`Loader::samples`](crate::Loader::samples).
    pub(crate) fn samples(&self, view: usize, epoch: usize, places: Range<usize>) -> Vec<Sample> {
        let plan = &self.plans(epoch)[view];
        let chain = &self.views[view].chain;
        let shape = chain.output();
        let identity = vec![std::array::from_fn(|byte| byte as u8); shape.channels];
        let mut canvas = Canvas::default();
        let sample = |place: usize| {
            let position = plan[place];
            let mut pixels = vec![0; shape.values()];
            let streams = self.streams(view, epoch, place);
            chain.apply(self.subset.image(position as usize), streams, &mut canvas, &identity, &mut pixels);
            Sample { position, pixels }
        };
        places.map(sample).collect()
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
