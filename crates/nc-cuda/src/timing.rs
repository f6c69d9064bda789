//! Times of kernels, between two events each.

use std::ptr::null_mut;

use crate::Result;
use crate::api::{self, Api};

/// Kernels timed so far.
pub(crate) struct Timing {
    api: &'static Api,
    stream: api::Stream,
    measured: Vec<Measured>,
}

struct Measured {
    api: &'static Api,
    kernel: usize,
    events: [api::Event; 2],
}

impl Timing {
    pub(crate) fn new(api: &'static Api, stream: api::Stream) -> Self {
        Self { api, stream, measured: vec![] }
    }

    /// Runs `launch`, which starts the kernel with this handle.
    pub(crate) fn around(&mut self, kernel: usize, launch: impl FnOnce() -> Result<()>) -> Result<()> {
        let Self { api, stream, .. } = *self;
        let record = |event| {
            // SAFETY: event and stream are valid.
            api.check("cuEventRecord", unsafe { (api.event_record)(event, stream) })
        };
        let mut measured = Measured { api, kernel, events: [null_mut(); 2] };
        for event in &mut measured.events {
            // SAFETY: the pointer is to a variable of the expected type.
            api.check("cuEventCreate", unsafe { (api.event_create)(&raw mut *event, api::EVENT_DEFAULT) })?;
        }
        record(measured.events[0])?;
        launch()?;
        record(measured.events[1])?;
        self.measured.push(measured);
        Ok(())
    }

    /// Handle and milliseconds of each kernel.
    pub(crate) fn milliseconds(&self) -> Result<Vec<(usize, f64)>> {
        let milliseconds = |measured: &Measured| {
            let Measured { api, kernel, events: [start, end] } = *measured;
            let mut milliseconds = 0.0;
            // SAFETY: both events were created with a clock and recorded.
            unsafe {
                api.check("cuEventSynchronize", (api.event_synchronize)(end))?;
                let code = (api.event_elapsed)(&raw mut milliseconds, start, end);
                api.check("cuEventElapsedTime", code)?;
            }
            Ok((kernel, f64::from(milliseconds)))
        };
        self.measured.iter().map(milliseconds).collect()
    }
}

impl Drop for Measured {
    fn drop(&mut self) {
        for event in self.events.into_iter().filter(|event| !event.is_null()) {
            // SAFETY: the event is destroyed once, by the driver after its completion. A failure leaks it.
            unsafe { (self.api.event_destroy)(event) };
        }
    }
}
