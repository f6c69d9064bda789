use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

use candle_core::Device;

use crate::{
    Batch, Error, Result,
    batch::{Plans, Prepared, Recipe},
    transform::Canvas,
};

/// Batches that each worker may prepare ahead of the consumer.
const AHEAD: usize = 2;

/// The batches of an epoch, in order, prepared ahead by worker threads. Dropping it stops and joins them.
#[derive(Debug)]
pub struct Epoch {
    /// The workers take turns: batch `first + i` comes from receiver `i % receivers.len()`.
    receivers: Vec<Receiver<Prepared>>,
    threads: Vec<JoinHandle<()>>,
    /// Error of a worker that failed to start.
    not_started: Option<io::Error>,
    device: Device,
    turn: usize,
    left: usize,
}

impl Epoch {
    pub(crate) fn start(
        recipe: &Arc<Recipe>,
        plans: &Plans,
        epoch: usize,
        first: usize,
        workers: usize,
        device: Device,
    ) -> Self {
        let batches = recipe.batches();
        let first = first.min(batches);
        let left = batches - first;
        let workers = workers.min(left).max(1);
        let (mut receivers, mut threads, mut not_started) = (Vec::new(), Vec::new(), None);
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(AHEAD);
            receivers.push(receiver);
            let (recipe, plans) = (Arc::clone(recipe), plans.clone());
            let work = move || {
                let mut canvas = Canvas::default();
                for number in (first + worker..batches).step_by(workers) {
                    if sender.send(recipe.prepare(&mut canvas, &plans, epoch, number)).is_err() {
                        return; // the epoch was dropped
                    }
                }
            };
            match thread::Builder::new().name(format!("nc-data-{worker}")).spawn(work) {
                Ok(thread) => threads.push(thread),
                // `next` returns the error: the sender of this receiver is gone.
                Err(error) => not_started = Some(error),
            }
        }
        Self { receivers, threads, not_started, device, turn: 0, left }
    }
}

impl Iterator for Epoch {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let prepared = self.receivers[self.turn].recv();
        self.turn = (self.turn + 1) % self.receivers.len();
        let Ok(prepared) = prepared else {
            self.left = 0;
            return Some(Err(match self.not_started.take() {
                Some(source) => Error::LoaderThread { threads: self.receivers.len(), source },
                None => Error::LoaderDied,
            }));
        };
        Some(prepared.on(&self.device))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Epoch {}

impl Drop for Epoch {
    fn drop(&mut self) {
        self.receivers.clear();
        for thread in self.threads.drain(..) {
            // A panic has already been printed by the worker.
            let _ = thread.join();
        }
    }
}
