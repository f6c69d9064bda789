//! Launches of convolutions and of their input gradients.

use crate::device::optional;
use crate::driver::{Argument, Grid};
use crate::norm::Partial;
use crate::source::{Constants, File, Source};
use crate::tile::{SHARED_LIMIT, Tile, channel_tiles};
use crate::{Activations, Buffer, Device, Layer, OutputGradient, Reading, Result, Weight};

/// Warps of a block.
const WARPS: usize = 4;
/// Value of the macro `READING` for the gradient of a batch norm's output.
const READING_GRADIENT: i64 = 3;

/// Destination of an input gradient.
#[derive(Clone, Copy)]
pub struct GradientTarget<'a> {
    /// Gradient of the layer's input.
    pub gradient: &'a Buffer,
    /// Whether to add to it.
    pub add: bool,
    /// If the input is a convolution's output that is read by [`Reading::Normalised`] or [`Reading::Rectified`] and has no
    /// other reader: its values. The gradient is then cut off where the ReLU was, and summed for batch norm's gradient.
    pub norm: Option<(Reading<'a>, &'a Buffer)>,
}

impl Layer {
    /// Convolves `x` to `y`. With `statistics`, returns the partial sums for [`RawNorm::batch`](crate::RawNorm::batch).
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn convolve(
        &self,
        device: &Device,
        x: &Buffer,
        reading: Reading<'_>,
        weight: &Weight,
        y: &Buffer,
        statistics: bool,
    ) -> Result<Option<Partial>> {
        let problem = Problem { layer: *self, backward: false };
        let partial = statistics.then(|| problem.partial(device, 3)).transpose()?;
        let flags =
            [("READING", reading.code()), ("ADD", 0), ("MASKED", 0), ("STATISTICS", i64::from(statistics))];
        let null = Argument::Pointer(0);
        let arguments = [
            x.argument(),
            reading.argument(),
            null,
            weight.forward.argument(),
            y.argument(),
            optional(partial.as_ref().map(|partial| &partial.sums)),
            null,
            null,
            Argument::Int(self.input.images as i32),
        ];
        device.launch(&problem.source(&flags), problem.grid(), &arguments)?;
        Ok(partial)
    }

    /// Computes the input's gradient. Returns the partial sums for [`Norm::gradient`](crate::Norm::gradient) if the
    /// target has a norm.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn input_gradient(
        &self,
        device: &Device,
        gradient: OutputGradient<'_>,
        weight: &Weight,
        target: GradientTarget<'_>,
    ) -> Result<Option<Partial>> {
        let problem = Problem { layer: *self, backward: true };
        let partial = target.norm.map(|_| problem.partial(device, 2)).transpose()?;
        let reading = if gradient.norm.is_some() { READING_GRADIENT } else { 0 };
        let masked = target.norm.map_or(0, |(reading, _)| reading.code());
        let flags =
            [("READING", reading), ("ADD", i64::from(target.add)), ("MASKED", masked), ("STATISTICS", 0)];
        let [source, rows, y] = gradient.arguments();
        let arguments = [
            source,
            rows,
            y,
            weight.backward.argument(),
            target.gradient.argument(),
            optional(partial.as_ref().map(|partial| &partial.sums)),
            target.norm.map_or(Argument::Pointer(0), |(reading, _)| reading.argument()),
            optional(target.norm.map(|(_, y)| y)),
            Argument::Int(self.input.images as i32),
        ];
        device.launch(&problem.source(&flags), problem.grid(), &arguments)?;
        Ok(partial)
    }
}

/// A convolution in one direction.
#[derive(Clone, Copy)]
struct Problem {
    layer: Layer,
    backward: bool,
}

/// Pixels and channels of a block.
#[derive(Clone, Copy, Debug)]
struct Plan {
    tile: Tile,
    /// 16-pixel rows of matrix products per warp.
    m_tiles: usize,
    channels: usize,
    /// Source channels in shared memory at a time.
    chunk: usize,
    /// Shared memory in bytes.
    shared: usize,
}

impl Problem {
    fn source_and_target(&self) -> (Activations, Activations) {
        let Layer { input, output, .. } = self.layer;
        if self.backward { (output, input) } else { (input, output) }
    }

    /// Classes of pixels along each axis.
    fn classes(&self) -> usize {
        if self.backward { self.layer.stride } else { 1 }
    }

    /// Taps of a class along each axis, at most.
    fn taps(&self) -> usize {
        self.layer.kernel.div_ceil(self.classes())
    }

    /// Rows and columns of the largest class.
    fn tiled(&self) -> (usize, usize) {
        let target = self.source_and_target().1;
        (target.height.div_ceil(self.classes()), target.width.div_ceil(self.classes()))
    }

    /// The plan with the largest tile that fits shared memory, and among these the largest chunk.
    fn plan(&self) -> Plan {
        let (source, target) = self.source_and_target();
        let (height, width) = self.tiled();
        let bytes = source.precision.bytes();
        let step = if self.backward { 1 } else { self.layer.stride };
        let halo = |size: usize| (size - 1) * step + self.taps();
        let mut plans = vec![];
        let all = WARPS * 16;
        // Fewer pixels where the kernel takes most of the memory. A second row of products is of use only if the images fill it.
        for (m_tiles, most) in [(1, all / 8), (1, all / 4), (1, all / 2), (1, all), (2, 2 * all)] {
            if m_tiles == 2 && height * width <= all {
                continue;
            }
            let tile = Tile::of(most, height, width);
            for channels in channel_tiles(target.padded()) {
                for chunk in channel_tiles(source.padded()) {
                    let pitch = chunk * bytes + 16;
                    let pixels = tile.images * halo(tile.height) * halo(tile.width);
                    let staged = (pixels + self.taps().pow(2) * channels) * pitch;
                    let shared = staged.max((WARPS + 1) * channels * 4);
                    plans.push(Plan { tile, m_tiles, channels, chunk, shared });
                }
            }
        }
        let fitting = plans.into_iter().filter(|plan| plan.shared <= SHARED_LIMIT);
        // The smallest tile fits for kernels up to 7x7.
        fitting.max_by_key(|plan| (plan.tile.pixels() * plan.channels, plan.chunk)).unwrap_or_else(|| {
            unreachable!("{:?} has no plan: Layer::is_supported was not checked", self.layer)
        })
    }

    fn grid(&self) -> Grid {
        let Plan { tile, channels, shared, .. } = self.plan();
        let (height, width) = self.tiled();
        let target = self.source_and_target().1;
        let tiles = tile.count(target.images, height, width);
        Grid { blocks: [tiles, target.padded() / channels, self.classes().pow(2)], shared }
    }

    /// Memory for `rows` sums per channel of each tile.
    fn partial(&self, device: &Device, rows: usize) -> Result<Partial> {
        let [tiles, _, classes] = self.grid().blocks;
        let channels = self.source_and_target().1.padded();
        Ok(Partial { sums: device.buffer(tiles * classes * rows * channels * 4)?, tiles: tiles * classes })
    }

    fn source(&self, flags: &[(&'static str, i64)]) -> Source {
        let (source, target) = self.source_and_target();
        let plan = self.plan();
        let Layer { kernel, stride, padding, .. } = self.layer;
        let mut constants: Constants = [
            ("BACKWARD", usize::from(self.backward)),
            ("SOURCE_H", source.height),
            ("SOURCE_W", source.width),
            ("SOURCE_CHANNELS", source.padded()),
            ("TARGET_H", target.height),
            ("TARGET_W", target.width),
            ("TARGET_CHANNELS", target.padded()),
            ("KERNEL", kernel),
            ("STRIDE", stride),
            ("PADDING", padding),
            ("TILE_IMAGES", plan.tile.images),
            ("TILE_H", plan.tile.height),
            ("TILE_W", plan.tile.width),
            ("TILE_CHANNELS", plan.channels),
            ("CHUNK", plan.chunk),
            ("M_TILES", plan.m_tiles),
        ]
        .map(|(name, value)| (name, value as i64))
        .to_vec();
        constants.extend(flags);
        Source {
            file: File::Convolution,
            kernel: "convolution",
            precision: source.precision,
            threads: WARPS * 32,
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
            for backward in [false, true] {
                let plan = Problem { layer, backward }.plan();
                assert!(plan.tile.pixels() <= WARPS * 16 * plan.m_tiles, "{layer:?}: {plan:?}");
            }
        }
    }
}
