//! Launches of conversions and sums.

use crate::driver::Argument;
use crate::elementwise::{THREADS, grid};
use crate::source::{Constants, File, Source};
use crate::{Activations, Buffer, Device, Reading, Result};

impl Activations {
    /// Converts planes (N, C, H, W) in f32.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn from_planes(self, device: &Device, planes: &Buffer, to: &Buffer) -> Result<()> {
        let buffers = [planes.argument(), to.argument()];
        let arguments = [&buffers[..], &self.shape()].concat();
        let source = source("from_planes", self, vec![("READING", 0)]);
        device.launch(&source, grid(self.pixels() * self.padded()), &arguments)
    }

    /// Converts to planes (N, C, H, W) in f32.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn to_planes(self, device: &Device, x: &Buffer, reading: Reading<'_>, planes: &Buffer) -> Result<()> {
        let buffers = [x.argument(), reading.argument(), planes.argument()];
        let arguments = [&buffers[..], &self.shape()].concat();
        let source = source("to_planes", self, vec![("READING", reading.code())]);
        device.launch(&source, grid(self.pixels() * self.channels), &arguments)
    }

    /// target += term.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn add(self, device: &Device, target: &Buffer, term: &Buffer) -> Result<()> {
        let arguments = [target.argument(), term.argument(), Argument::Int(self.vectors() as i32)];
        device.launch(&source("add", self, vec![("READING", 0)]), grid(self.vectors()), &arguments)
    }

    /// Images, pixels and channels as arguments.
    fn shape(self) -> [Argument; 4] {
        [self.images, self.height * self.width, self.channels, self.padded()]
            .map(|value| Argument::Int(value as i32))
    }
}

fn source(kernel: &'static str, of: Activations, constants: Constants) -> Source {
    Source { file: File::Convert, kernel, precision: of.precision, threads: THREADS, constants }
}
