//! Parameters that stay on a device, and their updates.

use crate::driver::{Argument, Grid};
use crate::source::{File, Source};
use crate::{Buffer, Device, Precision, Result, Uploads};

/// Threads of a block. Each parameter begins at a multiple of it.
const THREADS: usize = 256;

/// The layout of parameters in one piece of memory. Vectors of this layout hold a value per parameter's value: the parameters
/// themselves, their gradients, an optimiser's state, averages.
pub struct Parameters {
    device: Device,
    counts: Vec<usize>,
    /// First value of each parameter, and the end.
    starts: Vec<usize>,
    /// On the device: the parameter of each block, and the first block of each parameter.
    owners: Buffer,
    first_blocks: Buffer,
}

/// Factors of one parameter in an update. Without a gradient it does not change.
#[derive(Clone, Copy, Debug)]
pub struct Factors {
    /// Factor of the gradient.
    pub clip: f64,
    /// Length of the step.
    pub rate: f64,
    /// AdamW's: reciprocal root of the second correction.
    pub correction: f64,
    /// AdamW's: factor of weight decay.
    pub decay: f64,
}

impl Factors {
    /// A step of length `rate`.
    pub fn rate(rate: f64) -> Self {
        Self { clip: 1.0, rate, correction: 1.0, decay: 1.0 }
    }
}

/// SGD with momentum m <- momentum m + g for g = clip gradient + weight_decay w, and w <- w - rate (g + momentum m if nesterov,
/// else m).
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    /// Factor of the momentum.
    pub momentum: f64,
    /// Factor of the weights added to their gradient.
    pub weight_decay: f64,
    /// Nesterov's momentum.
    pub nesterov: bool,
}

/// AdamW (Loshchilov and Hutter 2019) with m <- beta1 m + (1 - beta1) g, v <- beta2 v + (1 - beta2) g^2 for
/// g = clip gradient, and w <- decay w - rate m / (sqrt(v) correction + epsilon).
#[derive(Clone, Copy, Debug)]
pub struct AdamW {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub epsilon: f64,
}

impl Parameters {
    /// Parameters of `counts` values.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn new(device: &Device, counts: &[usize]) -> Result<Self> {
        let (mut starts, mut owners) = (vec![0], vec![]);
        for (parameter, count) in counts.iter().enumerate() {
            let blocks = count.div_ceil(THREADS);
            owners.extend(std::iter::repeat_n(parameter as f32, blocks));
            starts.push(owners.len() * THREADS);
        }
        let first_blocks: Vec<f32> = starts.iter().map(|start| (start / THREADS) as f32).collect();
        Ok(Self {
            device: device.clone(),
            counts: counts.to_vec(),
            owners: device.upload(&owners)?,
            first_blocks: device.upload(&first_blocks)?,
            starts,
        })
    }

    /// The device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Number of values of a parameter.
    pub fn count(&self, parameter: usize) -> usize {
        self.counts[parameter]
    }

    /// Copies a vector to the device. Parameters without values get zeros.
    ///
    /// # Errors
    ///
    /// Those of the device.
    ///
    /// # Panics
    ///
    /// If the number of values is not that of a parameter.
    pub fn upload<'a>(&self, values: impl IntoIterator<Item = Option<&'a [f32]>>) -> Result<Buffer> {
        let mut all = vec![0.0; self.end()];
        for ((values, &start), &count) in values.into_iter().zip(&self.starts).zip(&self.counts) {
            if let Some(values) = values {
                all[start..start + count].copy_from_slice(values);
            }
        }
        self.device.upload(&all)
    }

    /// Copies a vector from the device.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn download(&self, vector: &Buffer) -> Result<Vec<Vec<f32>>> {
        let all = self.device.download(vector, self.end())?;
        let parts = self.starts.iter().zip(&self.counts);
        Ok(parts.map(|(&start, &count)| all[start..start + count].to_vec()).collect())
    }

    /// The part of a vector that belongs to a parameter.
    #[must_use]
    pub fn part(&self, vector: &Buffer, parameter: usize) -> Buffer {
        vector.from(self.starts[parameter])
    }

    /// The sum of squares of each parameter's part of a vector.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn squares(&self, vector: &Buffer) -> Result<Vec<f32>> {
        let (blocks, count) = (self.blocks(), self.counts.len());
        let sums = self.device.buffer(blocks * 8)?;
        let squares = self.device.buffer(count * 4)?;
        let grid = |blocks| Grid { blocks: [blocks, 1, 1], shared: THREADS * 8 };
        let arguments = [vector.argument(), sums.argument()];
        self.device.launch(&source("block_squares"), grid(blocks), &arguments)?;
        let arguments = [sums.argument(), self.first_blocks.argument(), squares.argument()];
        self.device.launch(&source("parameter_squares"), grid(count), &arguments)?;
        self.device.download(&squares, count)
    }

    /// A step of SGD with `factors` for each parameter.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn sgd(
        &self,
        by: Sgd,
        factors: &[Option<Factors>],
        [values, gradients, momenta]: [&Buffer; 3],
    ) -> Result<()> {
        let constants = [
            Argument::double(by.momentum),
            Argument::double(by.weight_decay),
            Argument::Int(i32::from(by.nesterov)),
        ];
        self.update("sgd", &[values, gradients, momenta], factors, &constants)
    }

    /// A step of AdamW with `factors` for each parameter.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn adamw(
        &self,
        by: AdamW,
        factors: &[Option<Factors>],
        [values, gradients, first, second]: [&Buffer; 4],
    ) -> Result<()> {
        let constants = [by.beta1, by.beta2, by.epsilon].map(Argument::double);
        self.update("adamw", &[values, gradients, first, second], factors, &constants)
    }

    /// values + rate direction.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn moved(&self, values: &Buffer, direction: &Buffer, factors: &[Option<Factors>]) -> Result<Buffer> {
        let moved = self.device.buffer(self.end() * 4)?;
        self.update("moved", &[&moved, values, direction], factors, &[])?;
        Ok(moved)
    }

    /// averages <- averages + rate (values - averages).
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn average(&self, averages: &Buffer, values: &Buffer, factors: &[Option<Factors>]) -> Result<()> {
        self.update("average", &[averages, values], factors, &[])
    }

    fn update(
        &self,
        kernel: &'static str,
        vectors: &[&Buffer],
        factors: &[Option<Factors>],
        constants: &[Argument],
    ) -> Result<()> {
        let mut rows = Uploads::default();
        for factors in factors {
            let row = factors.map_or([0.0; 5], |Factors { clip, rate, correction, decay }| {
                [1.0, clip, rate, correction, decay]
            });
            rows.add(&row.map(|value| value as f32));
        }
        let rows = rows.send(&self.device)?;
        let vectors = vectors.iter().copied().chain([&self.owners, &rows]).map(Buffer::argument);
        let arguments: Vec<_> = vectors.chain(constants.iter().copied()).collect();
        self.device.launch(&source(kernel), Grid::linear(self.blocks()), &arguments)
    }

    /// Number of values of a vector, with the gaps.
    fn end(&self) -> usize {
        self.starts[self.counts.len()]
    }

    fn blocks(&self) -> usize {
        self.end() / THREADS
    }
}

impl Buffer {
    /// Adds `count` f32 values of `term`.
    ///
    /// # Errors
    ///
    /// Those of the device.
    pub fn add_values(&self, device: &Device, term: &Self, count: usize) -> Result<()> {
        let arguments = [self.argument(), term.argument(), Argument::Int(count as i32)];
        device.launch(&source("add_values"), crate::elementwise::grid(count), &arguments)
    }
}

fn source(kernel: &'static str) -> Source {
    Source { file: File::Update, kernel, precision: Precision::F32, threads: THREADS, constants: vec![] }
}
