use crate::driver::{Argument, Grid};
use crate::source::{File, Source};
use crate::{Activations, Buffer, Device, Precision, Result};

/// Threads of a block, and channels.
const THREADS: usize = 256;
const CHANNELS: usize = 16;

/// Sums over tiles of pixels, per channel.
pub struct Partial {
    pub(crate) sums: Buffer,
    pub(crate) tiles: usize,
}

/// Parameters of a batch norm, (C) in f32.
#[derive(Clone)]
pub struct RawNorm {
    /// Scale.
    pub gamma: Buffer,
    /// Shift.
    pub beta: Buffer,
    /// Constant added to the variance.
    pub epsilon: f64,
}

/// A batch norm with known statistics.
#[derive(Clone)]
pub struct Norm {
    /// Scale, shift, mean and inverse deviation.
    pub(crate) rows: Buffer,
}

/// Coefficients of a batch norm's input gradient.
pub struct NormGradient {
    /// Mean, scale, slope and offset.
    pub(crate) rows: Buffer,
}

impl RawNorm {
    /// The norm with the statistics of a batch, from the sums of [`Layer::convolve`](crate::Layer::convolve). Writes the
    /// mean and the unbiased variance of all channels, with the padding, to `batch`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn batch(&self, device: &Device, of: Activations, sums: &Partial, batch: &Buffer) -> Result<Norm> {
        let rows = device.buffer(of.norm_values() * 4)?;
        let arguments = [
            sums.sums.argument(),
            Argument::Int(sums.tiles as i32),
            self.gamma.argument(),
            self.beta.argument(),
            rows.argument(),
            batch.argument(),
            Argument::double(self.epsilon),
            Argument::Int(of.channels as i32),
            Argument::Int(of.padded() as i32),
        ];
        device.launch(&source("statistics"), grid(of), &arguments)?;
        Ok(Norm { rows })
    }

    /// The norm with running statistics.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn fixed(&self, device: &Device, of: Activations, mean: &Buffer, variance: &Buffer) -> Result<Norm> {
        let rows = device.buffer(of.norm_values() * 4)?;
        let arguments = [
            mean.argument(),
            variance.argument(),
            self.gamma.argument(),
            self.beta.argument(),
            rows.argument(),
            Argument::double(self.epsilon),
            Argument::Int(of.channels as i32),
            Argument::Int(of.padded() as i32),
        ];
        let grid = Grid::linear(of.padded().div_ceil(THREADS));
        device.launch(&source("fixed_statistics"), grid, &arguments)?;
        Ok(Norm { rows })
    }
}

impl Norm {
    /// The input's gradient coefficients from sums over the output's gradient; writes the gradients of gamma and beta,
    /// (C) in f32. `from_batch`: whether the statistics depend on the input.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn gradient(
        &self,
        device: &Device,
        of: Activations,
        sums: &Partial,
        from_batch: bool,
        gamma: &Buffer,
        beta: &Buffer,
    ) -> Result<NormGradient> {
        let rows = device.buffer(of.norm_values() * 4)?;
        let count = if from_batch { of.pixels() as f64 } else { 0.0 };
        let arguments = [
            sums.sums.argument(),
            Argument::Int(sums.tiles as i32),
            self.rows.argument(),
            gamma.argument(),
            beta.argument(),
            rows.argument(),
            Argument::double(count),
            Argument::Int(of.channels as i32),
            Argument::Int(of.padded() as i32),
        ];
        device.launch(&source("norm_gradient"), grid(of), &arguments)?;
        Ok(NormGradient { rows })
    }
}

fn grid(of: Activations) -> Grid {
    // One f64 per thread.
    Grid { blocks: [of.padded() / CHANNELS, 1, 1], shared: THREADS * 8 }
}

fn source(kernel: &'static str) -> Source {
    // No activations: one kernel for all precisions.
    let precision = Precision::F32;
    Source { file: File::Norm, kernel, precision, threads: THREADS, constants: vec![] }
}
