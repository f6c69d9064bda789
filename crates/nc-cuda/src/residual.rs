//! Launches of a residual block's end.

use crate::driver::Argument;
use crate::elementwise::{grid, source};
use crate::norm::Norm;
use crate::source::Constants;
use crate::{Activations, Buffer, Device, Reading, Result};

/// A shortcut: every `stride`-th pixel, with as many zero channels before as after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shortcut {
    /// The shortcut's activations.
    pub from: Activations,
    /// The block's output.
    pub to: Activations,
    /// Step in both directions; 1 for an identity.
    pub stride: usize,
}

impl Shortcut {
    /// out = relu?(norm(y) + shortcut).
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn add(
        self,
        device: &Device,
        y: (&Buffer, &Norm),
        shortcut: (&Buffer, Reading<'_>),
        relu: bool,
        out: &Buffer,
    ) -> Result<()> {
        let constants = self.constants(shortcut.1.code(), relu, false);
        let arguments = [
            y.0.argument(),
            y.1.rows.argument(),
            shortcut.0.argument(),
            shortcut.1.argument(),
            out.argument(),
            Argument::Int(self.to.images as i32),
        ];
        device.launch(&source("block_end", self.to, constants), grid(self.to.vectors()), &arguments)
    }

    /// Gradient of the shortcut's activations from that of the sum, added to `target` if `add`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn gradient(self, device: &Device, gradient: &Buffer, target: &Buffer, add: bool) -> Result<()> {
        let constants = self.constants(0, false, add);
        let arguments = [gradient.argument(), target.argument(), Argument::Int(self.to.images as i32)];
        device.launch(&source("shortcut_gradient", self.to, constants), grid(self.from.vectors()), &arguments)
    }

    fn constants(self, reading: i64, relu: bool, add: bool) -> Constants {
        vec![
            ("BLOCK_END", 1),
            ("SUBSAMPLE", self.stride as i64),
            ("SHORTCUT_H", self.from.height as i64),
            ("SHORTCUT_W", self.from.width as i64),
            ("SHORTCUT_CHANNELS", self.from.padded() as i64),
            ("SHORTCUT_REAL", self.from.channels as i64),
            ("BEFORE", ((self.to.channels - self.from.channels) / 2) as i64),
            ("READING", reading),
            ("RECTIFY", i64::from(relu)),
            ("ADD", i64::from(add)),
        ]
    }
}
