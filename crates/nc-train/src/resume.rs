//! What a run must remember to go on as if it had never stopped.
//!
//! Data order, augmentation and mix-up follow from seed, epoch and step, so that no random state is kept.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Instant,
};

use candle_core::{Device, Tensor, Var};
use nc_models::Model;
use nc_record::{Array, BestEpoch, Checkpoint, EpochLosses, Event, EventLog, RunDir, SelectedEpoch, Timing};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Observer, Result, Sgd, SgdConfig,
    criterion::Criterion,
    phase::{LossSums, timing},
};

/// Where a run stands between two steps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) run_hash: String,
    /// The phase, by its index, and the epoch in it.
    pub(crate) phase: usize,
    pub(crate) epoch: usize,
    /// Steps of the epoch that are done, and of the whole run.
    pub(crate) step: usize,
    pub(crate) steps: u64,
    /// Of the epoch so far.
    pub(crate) losses: LossSums,
    pub(crate) epoch_seconds: f64,
    pub(crate) best: Option<BestEpoch>,
    pub(crate) selected: Option<SelectedEpoch>,
    /// Of the whole run so far.
    pub(crate) seconds: f64,
    pub(crate) training_seconds: f64,
    pub(crate) training_images: usize,
    /// Length of the event log.
    pub(crate) event_bytes: u64,
}

impl State {
    pub(crate) fn begin_phase(&mut self, phase: usize) {
        (self.phase, self.epoch, self.step) = (phase, 0, 0);
    }

    /// A step of `images` images is done. Moves `clock` to now.
    pub(crate) fn end_step(&mut self, losses: &EpochLosses, images: usize, clock: &mut Instant) {
        self.step += 1;
        self.steps += 1;
        self.losses.add(losses, images);
        let now = Instant::now();
        self.epoch_seconds += now.duration_since(*clock).as_secs_f64();
        *clock = now;
    }

    /// An epoch is done: its mean losses and its time.
    pub(crate) fn end_epoch(&mut self) -> (EpochLosses, Timing) {
        let LossSums { images, .. } = self.losses;
        let (losses, timing) = (self.losses.mean(), timing(self.epoch_seconds, images));
        self.training_seconds += timing.seconds;
        self.training_images += images;
        self.epoch += 1;
        self.step = 0;
        self.losses = LossSums::default();
        self.epoch_seconds = 0.0;
        (losses, timing)
    }

    /// Training images passed through so far.
    pub(crate) fn images(&self) -> usize {
        self.training_images + self.losses.images
    }
}

/// The tensors of a checkpoint, by the part of the run they belong to.
#[derive(Default)]
pub(crate) struct Tensors {
    /// The checkpoint.
    pub(crate) path: PathBuf,
    model: BTreeMap<String, Tensor>,
    momenta: BTreeMap<String, Tensor>,
    centers: Option<Tensor>,
}

const MODEL: &str = "model/";
const MOMENTUM: &str = "momentum/";
const CENTERS: &str = "centers";

impl Tensors {
    /// Copies of what changes from step to step.
    pub(crate) fn arrays(
        model: &Model,
        optimizer: &Sgd,
        criterion: &Criterion,
    ) -> Result<BTreeMap<String, Array>> {
        let array = |tensor: &Tensor| -> Result<Array> {
            Ok(Array { shape: tensor.dims().to_vec(), values: tensor.flatten_all()?.to_vec1()? })
        };
        let mut arrays = BTreeMap::new();
        for (name, var) in model.params().vars() {
            arrays.insert(format!("{MODEL}{name}"), array(&var)?);
        }
        for (name, momentum) in optimizer.momenta() {
            arrays.insert(format!("{MOMENTUM}{name}"), array(momentum)?);
        }
        if let Some(centers) = criterion.centers() {
            arrays.insert(CENTERS.to_owned(), array(centers)?);
        }
        Ok(arrays)
    }

    fn of(path: &Path, arrays: BTreeMap<String, Array>, device: &Device) -> Result<Self> {
        let mut tensors = Self { path: path.to_owned(), ..Self::default() };
        for (name, Array { shape, values }) in arrays {
            let tensor = Tensor::from_vec(values, shape, device)?;
            if let Some(name) = name.strip_prefix(MODEL) {
                tensors.model.insert(name.to_owned(), tensor);
            } else if let Some(name) = name.strip_prefix(MOMENTUM) {
                tensors.momenta.insert(name.to_owned(), tensor);
            } else {
                tensors.centers = Some(tensor);
            }
        }
        Ok(tensors)
    }

    /// Puts the weights into `model`; gives back the optimiser and, where there are any, the centres.
    pub(crate) fn restore(self, model: &Model, optimizer: SgdConfig) -> Result<(Sgd, Option<Var>)> {
        for (name, var) in model.params().vars() {
            match self.model.get(&name) {
                Some(tensor) if tensor.dims() == var.dims() => var.set(tensor)?,
                other => {
                    return Err(Error::OtherModel {
                        path: self.path,
                        parameter: name,
                        expected: var.dims().to_vec(),
                        found: other.map(|tensor| tensor.dims().to_vec()),
                    });
                }
            }
        }
        let centers = self.centers.as_ref().map(Var::from_tensor).transpose()?;
        Ok((Sgd::resume(optimizer, self.momenta), centers))
    }
}

/// An interrupted run, as its newest good checkpoint left it.
pub(crate) struct Interrupted {
    pub(crate) state: State,
    pub(crate) tensors: Tensors,
    pub(crate) log: EventLog,
    pub(crate) events: Vec<Event>,
}

impl Interrupted {
    /// Finds it in `directory`. Checkpoints that are damaged, or whose events are lost, are passed over.
    ///
    /// # Errors
    ///
    /// [`Error::OtherRun`] for a checkpoint of another run, [`nc_record::Error::Version`] for one of another format,
    /// [`nc_record::Error::Io`] for one that is there but cannot be read now.
    pub(crate) fn find(
        directory: &RunDir,
        run_hash: &str,
        device: &Device,
        observer: &mut dyn Observer,
    ) -> Result<Option<Self>> {
        for path in directory.checkpoints()? {
            let read = || {
                let Checkpoint { state, tensors } = Checkpoint::<State>::read(&path)?;
                if state.run_hash != run_hash {
                    let (path, expected) = (path.clone(), run_hash.to_owned());
                    return Err(Error::OtherRun { path, expected, found: state.run_hash });
                }
                let (log, events) = directory.reopen_event_log(state.event_bytes)?;
                Ok(Self { state, tensors: Tensors::of(&path, tensors, device)?, log, events })
            };
            match read() {
                Ok(found) => return Ok(Some(found)),
                Err(Error::Record(error)) if is_lost(&error) => observer.passed_over(&error),
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}

/// Whether what could not be read is not there to be read. Another time a file that cannot be read now may be.
fn is_lost(error: &nc_record::Error) -> bool {
    match error {
        nc_record::Error::Damaged { .. } | nc_record::Error::Malformed { .. } => true,
        nc_record::Error::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}
