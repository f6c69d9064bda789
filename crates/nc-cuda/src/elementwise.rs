//! Launches of passes over activations, and the ReLU's mask.

use crate::driver::{Argument, Grid};
use crate::norm::{Norm, Partial};
use crate::source::{Constants, File, Source};
use crate::{Activations, Buffer, Device, Result};

pub(crate) const THREADS: usize = 256;
/// Blocks of a pass, at most; each thread then takes several values.
const BLOCKS: usize = 2048;

/// Where a ReLU passes the gradient.
#[derive(Clone, Copy)]
pub enum Mask<'a> {
    /// Everywhere: there was no ReLU.
    Open,
    /// Where the layer's output is positive.
    Output(&'a Buffer),
    /// Where the normalised output of the convolution is positive.
    Normalised,
}

impl Activations {
    /// Cuts `gradient` off where the ReLU was, and sums it for batch norm's gradient. `y` is the convolution's output.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn mask_and_sum(
        self,
        device: &Device,
        gradient: &Buffer,
        mask: Mask<'_>,
        y: &Buffer,
        norm: &Norm,
    ) -> Result<Partial> {
        let (code, out) = match mask {
            Mask::Open => (0, Argument::Pointer(0)),
            Mask::Output(out) => (1, out.argument()),
            Mask::Normalised => (2, Argument::Pointer(0)),
        };
        // At least one thread per vector of channels.
        let threads = THREADS.max((self.padded() / self.precision.vector()).next_multiple_of(32));
        let blocks = self.pixels().div_ceil(64).min(BLOCKS / 8);
        let sums = device.buffer(blocks * 2 * self.padded() * 4)?;
        let source = Source { threads, ..source("mask_and_sum", self, vec![("MASK", code)]) };
        let grid = Grid { blocks: [blocks, 1, 1], shared: threads * self.precision.vector() * 4 };
        let arguments = [
            gradient.argument(),
            out,
            y.argument(),
            norm.rows.argument(),
            sums.argument(),
            Argument::Int(self.images as i32),
        ];
        device.launch(&source, grid, &arguments)?;
        Ok(Partial { sums, tiles: blocks })
    }
}

/// Blocks for `count` independent values.
pub(crate) fn grid(count: usize) -> Grid {
    Grid::linear(count.div_ceil(THREADS).min(BLOCKS))
}

pub(crate) fn source(kernel: &'static str, of: Activations, constants: Constants) -> Source {
    let shape =
        [("H", of.height), ("W", of.width), ("CHANNELS", of.padded()), ("REAL_CHANNELS", of.channels)];
    let shape = shape.map(|(name, value)| (name, value as i64));
    Source {
        file: File::Elementwise,
        kernel,
        precision: of.precision,
        threads: THREADS,
        constants: shape.into_iter().chain(constants).collect(),
    }
}
