use std::{ops::Range, sync::Arc};

use candle_core::Device;

use crate::{
    ImageShape, Result, Subset, View,
    rng::{ImageStreams, Purpose, stream, view_index},
    streamed::Streamed,
    transform::Canvas,
    tree::Reader,
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
    /// How the images are decoded, if they are streamed.
    pub(crate) streamed: Option<Streamed>,
}

/// Buffers and open files that a thread reuses from image to image.
#[derive(Default)]
pub(crate) struct Worker {
    pub(crate) canvas: Canvas,
    pub(crate) reader: Reader,
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
        let chain = &self.views[index].chain;
        let places = self.places(number);
        let values = chain.output().values();
        let mut images = vec![0.0; places.len() * values];
        for (place, out) in places.zip(images.chunks_exact_mut(values)) {
            let (pixels, streams) =
                (self.subset.image(plan[place] as usize), self.streams(index, epoch, place));
            chain.apply(pixels, streams, canvas, &self.tables, out);
        }
        self.mixed(images, index, plan, epoch, number)
    }

    /// The places in an epoch of the images of batch `number`.
    pub(crate) fn places(&self, number: usize) -> Range<usize> {
        let start = number * self.batch_size;
        start..self.subset.len().min(start + self.batch_size)
    }

    /// The view of normalised images, mixed if the view wants that.
    pub(crate) fn mixed(
        &self,
        mut images: Vec<f32>,
        index: usize,
        plan: &[u32],
        epoch: usize,
        number: usize,
    ) -> PreparedView {
        let ViewRecipe { chain, mixer, .. } = &self.views[index];
        let ImageShape { channels, height, width } = chain.output();
        let positions = &plan[self.places(number)];
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
    pub(crate) fn streams(&self, view: usize, epoch: usize, place: usize) -> ImageStreams {
        ImageStreams { seed: self.seed, epoch: epoch as u64, index: view_index(view, place) }
    }

    /// Images of a view before normalisation and mix-up, see [`Loader::samples`](crate::Loader::samples).
    pub(crate) fn samples(&self, view: usize, epoch: usize, places: Range<usize>) -> Result<Vec<Sample>> {
        let plan = &self.plans(epoch)[view];
        let chain = &self.views[view].chain;
        let shape = chain.output();
        let identity = vec![std::array::from_fn(|byte| byte as u8); shape.channels];
        let mut worker = Worker::default();
        let sample = |place: usize| {
            let position = plan[place];
            let mut pixels = vec![0; shape.values()];
            let streams = self.streams(view, epoch, place);
            if let Some(streamed) = &self.streamed {
                let picture = self.decode(streamed, position, view..view + 1, epoch, place, &mut worker)?;
                worker.canvas.load_picture(picture, shape.channels);
                chain.apply_streamed(streams, &mut worker.canvas, &mut pixels);
            } else {
                let image = self.subset.image(position as usize);
                chain.apply(image, streams, &mut worker.canvas, &identity, &mut pixels);
            }
            Ok(Sample { position, pixels })
        };
        places.map(sample).collect()
    }
}

/// A batch in host memory.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) views: Vec<PreparedView>,
}

impl Prepared {
    pub(crate) fn on(self, device: &Device) -> Result<Batch> {
        let views = self.views.into_iter().map(|view| view.on(device));
        Ok(Batch { views: views.collect::<Result<_>>()? })
    }
}
