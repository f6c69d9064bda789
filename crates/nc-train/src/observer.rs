use std::{path::Path, time::Duration};

use nc_data::LoadProgress;
use nc_record::{Event, Holder};

/// Receives the events of a run.
#[allow(unused_variables)] // of the default methods, whose documentation shows the names
pub trait Observer {
    /// An event was written to the event log.
    fn event(&mut self, event: &Event);

    /// The headers of image files are about to be read.
    fn reads_headers(&mut self, images: usize) {}

    /// Image files are about to be decoded, into `bytes` bytes of memory.
    fn reads_images(&mut self, images: usize, bytes: u64) {}

    /// Another `images` image files are decoded, or their headers read.
    fn images_read(&mut self, images: usize) {}

    /// The run starts, or resumes, in this directory.
    fn starts(&mut self, directory: &Path) {}

    /// A note on the images (unused files, duplicates across a split), the initial weights or a learning rate.
    fn note(&mut self, note: &str) {}

    /// An optimiser step is finished.
    fn step(&mut self, step: &Step<'_>) {}

    /// The run resumes from a checkpoint.
    fn resumed(&mut self, resumed: &Resumed<'_>) {}

    /// The run continues after the phases of another, finished run that logged `events`.
    fn continued(&mut self, events: &[Event]) {}

    /// The process `holder`, possibly on another machine, may hold the lock on the run. The run starts if there is no
    /// heartbeat for `time`.
    fn watches(&mut self, holder: Option<&Holder>, time: Duration) {}

    /// An unusable checkpoint is skipped. The run falls back to an older one, or to the start.
    fn passed_over(&mut self, error: &nc_record::Error) {}

    /// Requests a stop; called after each step. On true, the run writes a checkpoint and returns
    /// [`Error::Stopped`](crate::Error::Stopped).
    fn wants_to_stop(&mut self) -> bool {
        false
    }
}

/// Passes the progress of reading images to an observer.
pub(crate) struct Reading<'a>(pub(crate) &'a mut dyn Observer);

impl LoadProgress for Reading<'_> {
    fn begins_headers(&mut self, images: usize) {
        self.0.reads_headers(images);
    }

    fn begins(&mut self, images: usize, bytes: u64) {
        self.0.reads_images(images, bytes);
    }

    fn decoded(&mut self, images: usize) {
        self.0.images_read(images);
    }
}

/// State of a resumed run.
#[derive(Clone, Copy, Debug)]
pub struct Resumed<'a> {
    /// Events logged before.
    pub events: &'a [Event],
    /// Name of the phase.
    pub phase: &'a str,
    /// Epoch of the phase, from 0.
    pub epoch: usize,
    /// Next step of the epoch, from 0.
    pub step: usize,
    /// Images trained on before.
    pub images: usize,
}

/// An optimiser step.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// Name of the phase.
    pub phase: &'a str,
    /// Epoch of the phase, from 0.
    pub epoch: usize,
    /// The step within the epoch, from 0.
    pub step: usize,
    /// Images in the batch.
    pub images: usize,
    /// Total loss of the batch.
    pub loss: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// Seconds of the step, from the end of the step before.
    pub seconds: f64,
    /// Seconds of these spent waiting for the batch.
    pub waited: f64,
}

/// Ignores all events.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}
