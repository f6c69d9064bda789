use std::sync::{Mutex, OnceLock, PoisonError};

use nc_cuda::Device;

use crate::{ConvShape, Error};

static DEVICE: OnceLock<Device> = OnceLock::new();
static UNSUPPORTED: Mutex<Vec<ConvShape>> = Mutex::new(vec![]);

/// Makes this process compute the layers of f32 tensors on the CPU on `device` instead. Tensors stay on the CPU.
///
/// # Errors
///
/// [`Error::GpuStarted`] if the process already has a device.
pub fn start(device: Device) -> Result<(), Error> {
    DEVICE.set(device).map_err(|_| Error::GpuStarted)
}

/// True after [`start`].
pub fn is_started() -> bool {
    DEVICE.get().is_some()
}

/// The process's device.
pub(crate) fn device() -> Option<&'static Device> {
    DEVICE.get()
}

/// Convolutions computed on the CPU since the last call because the GPU has no kernel for them: those with groups, strides
/// above 2 or kernels above 7 x 7.
pub fn take_unsupported_layers() -> Vec<ConvShape> {
    std::mem::take(&mut *UNSUPPORTED.lock().unwrap_or_else(PoisonError::into_inner))
}

pub(crate) fn note_unsupported(shape: ConvShape) {
    let mut shapes = UNSUPPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !shapes.contains(&shape) {
        shapes.push(shape);
    }
}
