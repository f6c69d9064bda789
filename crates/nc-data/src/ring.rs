//! Streamed batches, made of units of a few images by worker threads.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    ops::Range,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};

use crate::{
    Error, Result,
    batch::{Plans, Prepared, Recipe, Worker},
};

/// Batches in memory: the one that the consumer takes and those being decoded.
const BATCHES: usize = 3;

/// The batches of an epoch in order. Pixels stay bytes until a batch is taken. At most [`BATCHES`] batches are in memory,
/// whatever the number of workers: a worker takes a unit only of these. Dropping it stops and joins the workers.
#[derive(Debug)]
pub(crate) struct Ring {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    /// Error of a worker that failed to start.
    not_started: Option<io::Error>,
    job: Job,
    /// The next batch to take.
    next: usize,
}

/// Inputs that determine the batches.
#[derive(Clone)]
struct Job {
    recipe: Arc<Recipe>,
    plans: Plans,
    epoch: usize,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// Signals a batch taken.
    room: Condvar,
    /// Signals a unit decoded.
    ready: Condvar,
}

/// A unit: a batch and the place of the unit in it.
type Unit = (usize, usize);

#[derive(Debug, Default)]
struct State {
    /// Units that no worker has taken.
    waiting: VecDeque<Unit>,
    /// The next batch of which no unit was queued, and the number of all.
    queued: usize,
    batches: usize,
    /// Decoded units.
    done: BTreeMap<Unit, Result<Vec<u8>>>,
    /// Buffers of taken units, for others.
    spare: Vec<Vec<u8>>,
    /// Buffers ever made.
    buffers: usize,
    stopped: bool,
    /// Whether a worker panicked.
    died: bool,
}

impl Ring {
    pub(crate) fn start(
        recipe: &Arc<Recipe>,
        plans: Plans,
        epoch: usize,
        first: usize,
        workers: usize,
    ) -> Self {
        let job = Job { recipe: Arc::clone(recipe), plans, epoch };
        let batches = recipe.batches();
        let mut state = State { queued: first, batches, ..State::default() };
        for _ in 0..BATCHES {
            state.queue(&job);
        }
        let shared = Shared { state: Mutex::new(state), room: Condvar::new(), ready: Condvar::new() };
        let (shared, mut threads, mut not_started) = (Arc::new(shared), vec![], None);
        let units = (batches - first) * job.recipe.units(0).max(1);
        for worker in 0..workers.min(units) {
            let (of_worker, job) = (Arc::clone(&shared), job.clone());
            let work = move || of_worker.work(&job);
            match thread::Builder::new().name(format!("nc-data-{worker}")).spawn(work) {
                Ok(thread) => threads.push(thread),
                Err(error) => {
                    not_started = Some(error);
                    shared.lock().died = true;
                }
            }
        }
        Self { shared, threads, not_started, job, next: first }
    }

    /// The next batch, which must exist. After an error, there are no others.
    pub(crate) fn take(&mut self) -> Result<Prepared> {
        let Job { recipe, plans, epoch } = &self.job;
        let (batch, units) = (self.next, recipe.units(self.next));
        let wanted = (batch, 0)..(batch, units);
        let mut state = self.shared.lock();
        while state.done.range(wanted.clone()).count() < units {
            if state.died {
                return Err(match self.not_started.take() {
                    Some(source) => Error::LoaderThread { threads: self.threads.len() + 1, source },
                    None => Error::LoaderDied,
                });
            }
            state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let decoded: Vec<Result<Vec<u8>>> =
            (0..units).filter_map(|unit| state.done.remove(&(batch, unit))).collect();
        drop(state);
        let pixels = decoded.into_iter().collect::<Result<Vec<_>>>()?;
        let prepared = recipe.finish(plans, *epoch, batch, &pixels);
        let mut state = self.shared.lock();
        state.spare.extend(pixels);
        state.queue(&self.job);
        self.shared.room.notify_all();
        self.next += 1;
        Ok(prepared)
    }

    #[cfg(test)]
    fn buffers(&self) -> usize {
        self.shared.lock().buffers
    }
}

impl State {
    /// Queues the units of the next batch.
    fn queue(&mut self, job: &Job) {
        if self.queued < self.batches {
            let units: Range<usize> = 0..job.recipe.units(self.queued);
            self.waiting.extend(units.map(|unit| (self.queued, unit)));
            self.queued += 1;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent whenever the lock is released, even by a panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decodes units until none is left.
    fn work(&self, job: &Job) {
        let _death = Death(self);
        let mut worker = Worker::default();
        while let Some((unit, mut pixels)) = self.next_unit() {
            let Job { recipe, plans, epoch } = job;
            let decoded = recipe.decode_unit(&mut worker, plans, *epoch, unit, &mut pixels);
            self.lock().done.insert(unit, decoded.map(|()| pixels));
            self.ready.notify_one();
        }
    }

    /// The next unit and a buffer for it; `None` after the last.
    fn next_unit(&self) -> Option<(Unit, Vec<u8>)> {
        let mut state = self.lock();
        loop {
            if state.stopped {
                return None;
            }
            if let Some(unit) = state.waiting.pop_front() {
                let spare = state.spare.pop();
                state.buffers += usize::from(spare.is_none());
                return Some((unit, spare.unwrap_or_default()));
            }
            if state.queued == state.batches {
                return None;
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Reports the panic of a worker to the consumer.
struct Death<'a>(&'a Shared);

impl Drop for Death<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().died = true;
            self.0.ready.notify_one();
        }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        self.shared.lock().stopped = true;
        self.shared.room.notify_all();
        for thread in self.threads.drain(..) {
            // A panic has already been printed by the worker.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ImageFiles, Loader, LoaderConfig, Normalize, Plan, Sampler, StreamOptions, Subset, ViewConfig, folder,
    };
    use candle_core::Device;

    fn files() -> (tempfile::TempDir, ImageFiles) {
        let root = tempfile::tempdir().unwrap();
        for class in ["a", "b"] {
            std::fs::create_dir(root.path().join(class)).unwrap();
            for image in 0..100u8 {
                let path = root.path().join(class).join(format!("{image}.png"));
                image::RgbImage::from_pixel(2, 2, [image, 0, 9].into()).save(path).unwrap();
            }
        }
        let files = folder::find(root.path()).unwrap();
        (root, files)
    }

    #[test]
    fn memory_is_bounded_by_three_batches() {
        let (_root, files) = files();
        let (training, evaluation) = (vec![], vec![]);
        let options = StreamOptions { size: (2, 2), exif_orientation: false, training, evaluation };
        let source = files.stream(&options, &mut ()).unwrap();
        let config = |workers| LoaderConfig {
            views: vec![ViewConfig::new(Plan::Sampled(Sampler::Uniform)); 2],
            epochs: None,
            batch_size: 20,
            normalize: Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] },
            seed: 0,
            workers,
            device: Device::Cpu,
        };
        for workers in [1, 2, 16] {
            let loader = Loader::new(&Subset::all(&source.train), config(workers)).unwrap();
            let mut ring = loader.ring(0, workers);
            for _ in 0..10 {
                // The workers fill the ring if they can.
                std::thread::sleep(std::time::Duration::from_millis(5));
                let state = ring.shared.lock();
                let bytes = state.done.values().flatten().map(Vec::len);
                assert!(bytes.sum::<usize>() <= BATCHES * 20 * 2 * 12, "{workers} workers");
                assert!(state.done.len() <= BATCHES * 3);
                drop(state);
                ring.take().unwrap();
            }
            assert!((1..=BATCHES * 3).contains(&ring.buffers()), "{} buffers", ring.buffers());
        }
    }

    #[test]
    fn a_dead_worker_is_an_error() {
        let (_root, files) = files();
        let (training, evaluation) = (vec![], vec![]);
        let options = StreamOptions { size: (2, 2), exif_orientation: false, training, evaluation };
        let source = files.stream(&options, &mut ()).unwrap();
        let config = LoaderConfig {
            views: vec![],
            epochs: None,
            batch_size: 200,
            normalize: Normalize { mean: vec![0.0; 3], std: vec![1.0; 3] },
            seed: 0,
            workers: 1,
            device: Device::Cpu,
        };
        let mut ring = Loader::sequential(&Subset::all(&source.train), config).unwrap().ring(0, 0);
        let shared = Arc::clone(&ring.shared);
        let died = thread::spawn(move || {
            let _death = Death(&shared);
            panic!("on purpose");
        });
        assert!(died.join().is_err());
        assert!(matches!(ring.take(), Err(Error::LoaderDied)));
    }
}
