use std::sync::Arc;

use candle_core::Device;

use crate::{
    Batch, Result,
    ahead::Ahead,
    batch::{Plans, Recipe},
    ring::Ring,
};

/// The batches of an epoch, in order, prepared ahead by worker threads. Dropping it stops and joins them.
#[derive(Debug)]
pub struct Epoch {
    batches: Batches,
    device: Device,
    left: usize,
}

#[derive(Debug)]
enum Batches {
    /// Of images in memory.
    Ahead(Ahead),
    /// Of streamed images.
    Ring(Ring),
}

impl Epoch {
    pub(crate) fn start(
        recipe: &Arc<Recipe>,
        plans: Plans,
        epoch: usize,
        first: usize,
        workers: usize,
        device: Device,
    ) -> Self {
        let batches = recipe.batches();
        let first = first.min(batches);
        let workers = workers.max(1);
        let left = batches - first;
        let batches = match recipe.streamed {
            None => Batches::Ahead(Ahead::start(recipe, &plans, epoch, first, workers.min(left).max(1))),
            Some(_) => Batches::Ring(Ring::start(recipe, plans, epoch, first, workers)),
        };
        Self { batches, device, left }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let prepared = match &mut self.batches {
            Batches::Ahead(ahead) => ahead.take(),
            Batches::Ring(ring) => ring.take(),
        };
        if prepared.is_err() {
            self.left = 0;
        }
        Some(prepared.and_then(|prepared| prepared.on(&self.device)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Epoch {}
