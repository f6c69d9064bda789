use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use nc_cuda::{Activations, Buffer, Device, GradientTarget, Norm, Partial, Reading, Result};

/// Activations, known once their record has run, and their accumulated gradient.
pub(crate) struct Node {
    pub(crate) of: Activations,
    /// Whether the gradient is wanted.
    pub(super) tracked: bool,
    values: OnceLock<Values>,
    /// Number of tracked operations that read this node.
    consumers: AtomicUsize,
    gradient: Mutex<Option<Gradient>>,
}

/// Stored activations. Readers apply `norm`.
pub(super) struct Values {
    pub(super) buffer: Buffer,
    pub(super) norm: Option<LazyNorm>,
}

pub(super) struct LazyNorm {
    pub(super) norm: Norm,
    pub(super) relu: bool,
}

/// Gradient of a node for the operation that produced it.
pub(super) struct Gradient {
    pub(super) buffer: Buffer,
    /// Sums for the lazy norm's gradient, if its ReLU's mask has been applied.
    pub(super) sums: Option<Partial>,
}

impl Node {
    pub(super) fn new(of: Activations, tracked: bool) -> Arc<Self> {
        Arc::new(Self {
            of,
            tracked,
            values: OnceLock::new(),
            consumers: AtomicUsize::new(0),
            gradient: Mutex::new(None),
        })
    }

    /// Stores the values. A record runs once, so nothing is stored yet.
    pub(super) fn set(&self, buffer: Buffer, norm: Option<LazyNorm>) {
        let stored = self.values.set(Values { buffer, norm });
        debug_assert!(stored.is_ok(), "values computed twice");
    }

    /// Values and how to read them; `None` if the record's run failed.
    pub(super) fn values(&self) -> Option<(&Buffer, Reading<'_>)> {
        let Values { buffer, norm } = self.values.get()?;
        let reading = match norm {
            None => Reading::Plain,
            Some(LazyNorm { norm, relu: false }) => Reading::Normalised(norm),
            Some(LazyNorm { norm, relu: true }) => Reading::Rectified(norm),
        };
        Some((buffer, reading))
    }

    /// Registers a tracked operation that reads this node, once per argument.
    pub(super) fn add_consumer(&self) {
        self.consumers.fetch_add(1, Ordering::Relaxed);
    }

    fn gradient(&self) -> MutexGuard<'_, Option<Gradient>> {
        self.gradient.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_gradient(&self) -> Option<Gradient> {
        self.gradient().take()
    }

    /// Lets `compute` write the gradient, or add to it if its second argument is true.
    pub(super) fn add_gradient(
        &self,
        device: &Device,
        compute: impl FnOnce(&Buffer, bool) -> Result<()>,
    ) -> Result<()> {
        self.accumulate(device, |target| compute(target.gradient, target.add).map(|()| None))
    }

    /// Lets `compute` write a gradient to the target, whose norm it finishes if this is the only consumer.
    pub(super) fn accumulate(
        &self,
        device: &Device,
        compute: impl FnOnce(GradientTarget<'_>) -> Result<Option<Partial>>,
    ) -> Result<()> {
        let before = self.take_gradient();
        let add = before.is_some();
        let buffer = match before {
            Some(gradient) => gradient.buffer,
            None => device.buffer(self.of.bytes())?,
        };
        let only = self.consumers.load(Ordering::Relaxed) == 1;
        let norm = self.values().filter(|(_, reading)| !matches!(reading, Reading::Plain));
        let norm = norm.map(|(buffer, reading)| (reading, buffer));
        let target = GradientTarget { gradient: &buffer, add, norm: norm.filter(|_| only) };
        let sums = compute(target)?;
        *self.gradient() = Some(Gradient { buffer, sums });
        Ok(())
    }

    /// Takes over a gradient that nothing else needs.
    pub(super) fn give_gradient(&self, device: &Device, buffer: Buffer) -> Result<()> {
        let mut gradient = self.gradient();
        match &*gradient {
            Some(Gradient { buffer: sum, .. }) => self.of.add(device, sum, &buffer)?,
            None => *gradient = Some(Gradient { buffer, sums: None }),
        }
        Ok(())
    }
}
