use nc_record::Event;

/// Somebody who watches a run.
pub trait Observer {
    /// Something happened that also stands in the event log.
    fn event(&mut self, event: &Event);

    /// An optimiser step was done.
    fn step(&mut self, step: &Step<'_>) {
        let _ = step;
    }
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

/// An observer that looks away.
impl Observer for () {
    fn event(&mut self, _: &Event) {}
}
