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

/// Names the [layers](take_unsupported_layers) computed on the CPU since the last call, for the user; `None` if there were none.
pub fn unsupported_layers() -> Option<String> {
    describe(&take_unsupported_layers())
}

fn describe(layers: &[ConvShape]) -> Option<String> {
    let ConvShape { in_channels, out_channels, kernel, stride, groups, .. } = *layers.first()?;
    let others = match layers.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Some(format!(
        "the GPU has no kernels for convolutions {kernel}x{kernel} of {in_channels} to {out_channels} channels in groups of {} \
         with stride {stride}{others}; they run on the CPU",
        in_channels / groups
    ))
}

pub(crate) fn note_unsupported(shape: ConvShape) {
    let mut shapes = UNSUPPORTED.lock().unwrap_or_else(PoisonError::into_inner);
    if !shapes.contains(&shape) {
        shapes.push(shape);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_on_the_cpu_are_named() {
        assert_eq!(describe(&[]), None);
        let grouped =
            ConvShape { in_channels: 128, out_channels: 128, kernel: 3, stride: 1, padding: 1, groups: 32 };
        let note = describe(&[grouped, ConvShape { stride: 2, ..grouped }]).unwrap();
        assert!(
            note.contains("3x3 of 128 to 128 channels in groups of 4 with stride 1 and 1 more"),
            "{note}"
        );
    }
}
