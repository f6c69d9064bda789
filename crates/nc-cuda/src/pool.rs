//! Launches of pooling.

use crate::driver::{Argument, Grid};
use crate::elementwise::{THREADS, grid, source};
use crate::{Activations, Buffer, Device, Reading, Result};

impl Activations {
    /// Mean over height and width, (N, C) in f32.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn global_average(
        self,
        device: &Device,
        x: &Buffer,
        reading: Reading<'_>,
        means: &Buffer,
    ) -> Result<()> {
        let parts = (THREADS / self.padded()).max(1);
        let constants = vec![("POOL", 1), ("PARTS", parts as i64), ("READING", reading.code()), ("ADD", 0)];
        let shared = parts * self.padded() * 4;
        let arguments = [x.argument(), reading.argument(), means.argument()];
        let grid = Grid { blocks: [self.images, 1, 1], shared };
        device.launch(&source("global_average", self, constants), grid, &arguments)
    }

    /// Gradient of [`Activations::global_average`] from that of the means, added to `target` if `add`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn global_average_gradient(
        self,
        device: &Device,
        gradient: &Buffer,
        target: &Buffer,
        add: bool,
    ) -> Result<()> {
        let constants = vec![("POOL", 1), ("PARTS", 1), ("READING", 0), ("ADD", i64::from(add))];
        let arguments = [gradient.argument(), target.argument(), Argument::Int(self.images as i32)];
        let grid = grid(self.pixels() * self.padded());
        device.launch(&source("global_average_gradient", self, constants), grid, &arguments)
    }
}

/// Max pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MaxPool {
    /// Input.
    pub from: Activations,
    /// Output.
    pub to: Activations,
    /// Side of the window.
    pub window: usize,
    /// Step of the window.
    pub stride: usize,
    /// Pixels of minus infinity around the image.
    pub padding: usize,
}

impl MaxPool {
    /// Maxima of the windows.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn forward(self, device: &Device, x: &Buffer, reading: Reading<'_>, out: &Buffer) -> Result<()> {
        let arguments =
            [x.argument(), reading.argument(), out.argument(), Argument::Int(self.from.images as i32)];
        let grid = grid(self.to.pixels() * self.to.padded());
        device.launch(&source("max_pool", self.from, self.constants(reading, false)), grid, &arguments)
    }

    /// Gradient of the input, added to `target` if `add`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn gradient(
        self,
        device: &Device,
        x: (&Buffer, Reading<'_>),
        gradient: &Buffer,
        target: &Buffer,
        add: bool,
    ) -> Result<()> {
        let arguments = [
            x.0.argument(),
            x.1.argument(),
            gradient.argument(),
            target.argument(),
            Argument::Int(self.from.images as i32),
        ];
        let grid = grid(self.from.pixels() * self.from.padded());
        device.launch(&source("max_pool_gradient", self.from, self.constants(x.1, add)), grid, &arguments)
    }

    fn constants(self, reading: Reading<'_>, add: bool) -> Vec<(&'static str, i64)> {
        vec![
            ("WINDOW", self.window as i64),
            ("WINDOW_STRIDE", self.stride as i64),
            ("WINDOW_PADDING", self.padding as i64),
            ("OUT_H", self.to.height as i64),
            ("OUT_W", self.to.width as i64),
            ("READING", reading.code()),
            ("ADD", i64::from(add)),
        ]
    }
}
