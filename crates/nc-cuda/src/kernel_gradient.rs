//! Launches of kernel gradients.

use crate::driver::{Argument, Grid};
use crate::source::{Constants, File, Source};
use crate::tile::{SHARED_LIMIT, Tile, channel_tiles};
use crate::{Buffer, Device, Layer, OutputGradient, Precision, Reading, Result};

/// Registers of a multiprocessor, and those of a thread beside its accumulators, about.
const REGISTERS: usize = 65_536;
const OTHER_REGISTERS: usize = 52;
/// Target number of blocks of a launch.
const BLOCKS: usize = 256;
/// Pixels of a tile, at most.
const PIXELS: usize = 256;
/// Taps of a warp, at most, in a row of the convolution's kernel.
const MOST_TAPS: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Plan {
    tile: Tile,
    input: usize,
    output: usize,
    /// Parts of the pixels.
    split: usize,
    threads: usize,
    shared: usize,
}

impl Layer {
    /// Computes the kernel's gradient (C_out, C_in, k, k) in f32.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn kernel_gradient(
        &self,
        device: &Device,
        x: &Buffer,
        reading: Reading<'_>,
        gradient: OutputGradient<'_>,
        target: &Buffer,
    ) -> Result<()> {
        let plan = self.gradient_plan();
        let (inputs, outputs) = (self.input.padded(), self.output.padded());
        let tiles = [inputs / plan.input, outputs / plan.output];
        // Independent of the GPU, so that the order of the sums is the same on all.
        let slices = (BLOCKS / (tiles[0] * tiles[1])).clamp(1, self.input.images);
        let values = self.kernel * self.kernel * inputs * outputs;
        let partial = device.buffer(slices * values * 4)?;
        let [dy, rows, y] = gradient.arguments();
        let arguments = [
            x.argument(),
            reading.argument(),
            dy,
            y,
            rows,
            partial.argument(),
            Argument::Int(self.input.images as i32),
        ];
        let grid = Grid { blocks: [slices, tiles[0], tiles[1]], shared: plan.shared };
        device.launch(&self.gradient_source(plan, reading, gradient.norm.is_some()), grid, &arguments)?;
        let sum = [partial.argument(), target.argument(), Argument::Int(slices as i32)];
        let arguments = [&sum[..], &self.weight_shape()].concat();
        device.launch(&self.weight_source("sum_slices"), self.weight_grid(), &arguments)
    }

    /// The plan with the largest tile of channels that fits shared memory and registers, and among these the most pixels.
    fn gradient_plan(&self) -> Plan {
        let bytes = self.input.precision.bytes();
        let step = self.input.precision.step();
        // Taps of a warp, as the kernel divides a row of them.
        let groups = self.kernel.div_ceil(MOST_TAPS);
        let (rows, taps) = (self.kernel * groups, self.kernel.div_ceil(groups));
        let halo = |size: usize| (size - 1) * self.stride + self.kernel;
        let pad = if bytes == 2 { 16 } else { 32 };
        let mut plans = vec![];
        for pixels in [PIXELS, PIXELS / 2, PIXELS / 4] {
            let tile = Tile { images: 1, ..Tile::of(pixels, self.output.height, self.output.width) };
            for input in channel_tiles(self.input.padded()) {
                for output in channel_tiles(self.output.padded()) {
                    let units = rows * (input / 16);
                    let split = (12 / units).clamp(1, 4);
                    let threads = units * split * 32;
                    let staged = halo(tile.height) * halo(tile.width) * (input * bytes + pad)
                        + tile.pixels().next_multiple_of(step) * (output * bytes + pad);
                    let summed = if split > 1 { self.kernel * self.kernel * input * output * 4 } else { 0 };
                    let shared = staged.max(summed);
                    // Registers are allocated to four warps at a time.
                    let sums = taps * output / 2;
                    let fit = |registers| threads.next_multiple_of(128) * registers <= REGISTERS;
                    if shared <= SHARED_LIMIT && fit(sums + OTHER_REGISTERS) && threads <= 1024 {
                        // The split products of f32 take more registers.
                        let fits = self.input.precision != Precision::F32 || fit(sums * 4 / 3 + 80);
                        plans.push((fits, Plan { tile, input, output, split, threads, shared }));
                    }
                }
            }
        }
        // 16 channels at a time fit for kernels up to 7x7.
        plans
            .into_iter()
            .max_by_key(|(fits, plan)| (*fits, plan.input * plan.output, plan.tile.pixels()))
            .map_or_else(
                || unreachable!("{self:?} has no plan: Layer::is_supported was not checked"),
                |(_, plan)| plan,
            )
    }

    fn gradient_source(&self, plan: Plan, reading: Reading<'_>, norm: bool) -> Source {
        let constants: Constants = [
            ("INPUT_H", self.input.height),
            ("INPUT_W", self.input.width),
            ("INPUT_CHANNELS", self.input.padded()),
            ("OUTPUT_H", self.output.height),
            ("OUTPUT_W", self.output.width),
            ("OUTPUT_CHANNELS", self.output.padded()),
            ("KERNEL", self.kernel),
            ("STRIDE", self.stride),
            ("PADDING", self.padding),
            ("TILE_H", plan.tile.height),
            ("TILE_W", plan.tile.width),
            ("TILE_INPUT", plan.input),
            ("TILE_OUTPUT", plan.output),
            ("MOST_TAPS", MOST_TAPS),
            ("SPLIT", plan.split),
            ("NORM", usize::from(norm)),
            ("READING", reading.code() as usize),
        ]
        .map(|(name, value)| (name, value as i64))
        .to_vec();
        Source {
            file: File::KernelGradient,
            kernel: "kernel_gradient",
            precision: self.input.precision,
            threads: plan.threads,
            constants,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_layer_has_a_plan() {
        for layer in crate::shape::supported_layers() {
            let plan = layer.gradient_plan();
            assert!(plan.shared <= SHARED_LIMIT && plan.threads <= 1024, "{layer:?}: {plan:?}");
        }
    }
}
