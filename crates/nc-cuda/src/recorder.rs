//! A device that records launches without running them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::driver::{Driver, Launch};
use crate::{Device, Result, Source};

/// Lists the kernels that a computation launches, without a GPU. Downloaded values are zero.
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    kernels: Vec<Recorded>,
    allocated: u64,
}

/// A kernel of a [`Recorder`].
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its source.
    pub source: Source,
    /// Largest dynamic shared memory of its launches, in bytes.
    pub shared: usize,
    /// Number of launches.
    pub launches: usize,
}

impl Recorder {
    /// The device.
    pub fn device(&self) -> Device {
        Device::new(Box::new(self.clone()))
    }

    /// The kernels so far, in the order of their first launches.
    pub fn kernels(&self) -> Vec<Recorded> {
        self.state().kernels.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Driver for Recorder {
    fn allocate(&self, bytes: usize) -> Result<u64> {
        let mut state = self.state();
        state.allocated += bytes as u64;
        Ok(state.allocated)
    }

    fn free(&self, _: u64) {}

    fn upload(&self, _: u64, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn download(&self, _: u64, to: &mut [u8]) -> Result<()> {
        to.fill(0);
        Ok(())
    }

    fn compile(&self, source: &Source) -> Result<usize> {
        let mut state = self.state();
        state.kernels.push(Recorded { source: source.clone(), shared: 0, launches: 0 });
        Ok(state.kernels.len() - 1)
    }

    fn run(&self, launches: &[Launch]) -> Result<()> {
        let mut state = self.state();
        for Launch { kernel, grid, .. } in launches {
            let kernel = &mut state.kernels[*kernel];
            kernel.shared = kernel.shared.max(grid.shared);
            kernel.launches += 1;
        }
        Ok(())
    }
}
