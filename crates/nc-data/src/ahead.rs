//! Batches of images in memory, each made by one worker thread.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{Receiver, sync_channel},
    },
    thread::{self, JoinHandle},
};

use crate::{
    Error, Result,
    batch::{Plans, Prepared, Recipe},
    transform::Canvas,
};

/// Batches that each worker may prepare ahead of the consumer.
const AHEAD: usize = 2;

/// The batches of an epoch, in order. Dropping it stops and joins the workers.
#[derive(Debug)]
pub(crate) struct Ahead {
    /// The workers take turns: batch `first + i` comes from receiver `i % receivers.len()`.
    receivers: Vec<Receiver<Prepared>>,
    threads: Vec<JoinHandle<()>>,
    /// Error of a worker that failed to start.
    not_started: Option<io::Error>,
    turn: usize,
}

impl Ahead {
    pub(crate) fn start(
        recipe: &Arc<Recipe>,
        plans: &Plans,
        epoch: usize,
        first: usize,
        workers: usize,
    ) -> Self {
        let batches = recipe.batches();
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
                // `take` returns the error: the sender of this receiver is gone.
                Err(error) => not_started = Some(error),
            }
        }
        Self { receivers, threads, not_started, turn: 0 }
    }

    /// The next batch, which must exist.
    pub(crate) fn take(&mut self) -> Result<Prepared> {
        let prepared = self.receivers[self.turn].recv();
        self.turn = (self.turn + 1) % self.receivers.len();
        prepared.map_err(|_| match self.not_started.take() {
            Some(source) => Error::LoaderThread { threads: self.receivers.len(), source },
            None => Error::LoaderDied,
        })
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.receivers.clear();
        for thread in self.threads.drain(..) {
            // A panic has already been printed by the worker.
            let _ = thread.join();
        }
    }
}
