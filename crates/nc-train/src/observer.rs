use std::time::Duration;

use nc_record::{Event, Holder};

/// Receives the events of a run.
pub trait Observer {
    /// Something happened that also stands in the event log.
    fn event(&mut self, event: &Event);

    /// A remark on the images: unused files, copies on both sides of a split.
    fn note(&mut self, note: &str) {
        let _ = note;
    }

    /// An optimiser step was done.
    fn step(&mut self, step: &Step<'_>) {
        let _ = step;
    }

    /// The run was begun earlier and goes on.
    fn resumed(&mut self, resumed: &Resumed<'_>) {
        let _ = resumed;
    }

    /// The run starts after the phases of a finished one, which logged `events`.
    fn continued(&mut self, events: &[Event]) {
        let _ = events;
    }

    /// The process `holder` may be working on the run, perhaps on another machine. The run starts if there is no sign of
    /// it for `time`.
    fn watches(&mut self, holder: Option<&Holder>, time: Duration) {
        let _ = (holder, time);
    }

    /// A checkpoint cannot be used; an older one will be, or the run starts from the beginning.
    fn passed_over(&mut self, error: &nc_record::Error) {
        let _ = error;
    }

    /// Whether the run should stop: it is asked after each step, and then writes a checkpoint and ends with
    /// [`Error::Stopped`](crate::Error::Stopped).
    fn wants_to_stop(&mut self) -> bool {
        false
    }
}

/// An interrupted run that goes on.
#[derive(Clone, Copy, Debug)]
pub struct Resumed<'a> {
    /// What it logged before.
    pub events: &'a [Event],
    /// The phase's name.
    pub phase: &'a str,
    /// Its epoch, from 0.
    pub epoch: usize,
    /// The first step of that epoch to be done, from 0.
    pub step: usize,
    /// Images passed through in training before.
    pub images: usize,
}

/// An optimiser step.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// The phase's name.
    pub phase: &'a str,
    /// Its epoch, from 0.
    pub epoch: usize,
    /// The step within the epoch, from 0.
    pub step: usize,
    /// Images in the batch.
    pub images: usize,
    /// The whole loss of the batch.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
}

/// Ignores all events.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}
