use candle_core::{Device, Tensor};

use crate::{
    Augment, Mix, Result, Subset,
    augment::Placement,
    mix::Mixer,
    rng::{Purpose, stream},
};

/// Images with their labels.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Augmented, normalised and perhaps mixed: (B, C, H, W) of `f32`.
    pub images: Tensor,
    /// The label of each image: B of them.
    pub labels: Vec<u32>,
    /// What was mixed into the images, if anything.
    pub mix: Option<Mix>,
}

/// How the batches of any epoch are made.
pub(crate) struct Recipe {
    pub(crate) subset: Subset,
    pub(crate) batch_size: usize,
    pub(crate) augment: Option<Augment>,
    /// What each byte becomes, for each channel.
    pub(crate) tables: Vec<[f32; 256]>,
    pub(crate) mixer: Option<Mixer>,
    pub(crate) seed: u64,
}

impl Recipe {
    /// Number of batches of an epoch, the last of which may be smaller.
    pub(crate) fn batches(&self) -> usize {
        self.subset.len().div_ceil(self.batch_size)
    }

    /// Batch `number` of the `epoch` whose images `plan` lists.
    pub(crate) fn prepare(&self, plan: &[u32], epoch: usize, number: usize) -> Prepared {
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
            let placement = self.augment.map_or_else(Placement::default, |augment| {
                augment.draw(&mut stream(self.seed, Purpose::Augment, epoch as u64, (start + place) as u64))
            });
            placement.write(self.subset.image(position), shape, &self.tables, out);
        }
        let mix = self.mixer.map(|mixer| {
            let mut rng = stream(self.seed, Purpose::Mix, epoch as u64, number as u64);
            mixer.mix(&mut images, &labels, &mut rng)
        });
        Prepared { images, dims: (labels.len(), shape.channels, shape.height, shape.width), labels, mix }
    }
}

/// A batch on the host.
#[derive(Debug)]
pub(crate) struct Prepared {
    images: Vec<f32>,
    dims: (usize, usize, usize, usize),
    labels: Vec<u32>,
    mix: Option<Mix>,
}

impl Prepared {
    pub(crate) fn on(self, device: &Device) -> Result<Batch> {
        let images = Tensor::from_vec(self.images, self.dims, device)?;
        Ok(Batch { images, labels: self.labels, mix: self.mix })
    }
}
