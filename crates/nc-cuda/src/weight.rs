use crate::driver::{Argument, Grid};
use crate::source::{File, Source};
use crate::{Buffer, Device, Layer, Result};

const THREADS: usize = 256;

/// A convolution's kernel in the layouts of both directions, rounded for matrix products.
#[derive(Clone)]
pub struct Weight {
    pub(crate) forward: Buffer,
    pub(crate) backward: Buffer,
}

impl Layer {
    /// Packs a kernel (C_out, C_in, k, k) in f32.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn pack(&self, device: &Device, weight: &Buffer) -> Result<Weight> {
        let bytes = self.packed_values() * self.input.precision.bytes();
        let packed = Weight { forward: device.buffer(bytes)?, backward: device.buffer(bytes)? };
        let buffers = [weight.argument(), packed.forward.argument(), packed.backward.argument()];
        let arguments = [&buffers[..], &self.weight_shape()].concat();
        device.launch(&self.weight_source("pack_weight"), self.weight_grid(), &arguments)?;
        Ok(packed)
    }

    fn packed_values(&self) -> usize {
        self.kernel * self.kernel * self.input.padded() * self.output.padded()
    }

    pub(crate) fn weight_grid(&self) -> Grid {
        Grid::linear(self.packed_values().div_ceil(THREADS))
    }

    /// The kernel's shape as arguments.
    pub(crate) fn weight_shape(&self) -> [Argument; 5] {
        let taps = self.kernel * self.kernel;
        let (input, output) = (self.input, self.output);
        [taps, input.channels, output.channels, input.padded(), output.padded()]
            .map(|value| Argument::Int(value as i32))
    }

    pub(crate) fn weight_source(&self, kernel: &'static str) -> Source {
        let precision = self.input.precision;
        Source { file: File::Weight, kernel, precision, threads: THREADS, constants: vec![] }
    }
}
