//! Runs a record: one copy to the device, the kernels, one copy back.

use std::sync::Arc;

use candle_core::{Error, Result, Tensor, Var};
use nc_cuda::{Buffer, Device, Uploads};

use super::backward::segment_token;
use super::node::LazyNorm;
use super::record::{BatchNorm, ConvLayer, Done, Enter, Op, Record};
use super::resident;
use crate::batch_norm::running;
use crate::graph::{to_vec, with_values};

/// Runs the waiting operations, then `result`, which writes `count` values. Returns the values. After an error, further runs of
/// the record fail.
pub(super) fn run(
    record: &Arc<Record>,
    count: usize,
    result: impl FnOnce(&Device, &Buffer) -> nc_cuda::Result<()>,
) -> Result<Vec<f32>> {
    if record.has_failed() {
        return Err(Error::Msg("an earlier layer on the GPU failed".into()).bt());
    }
    let ran = run_waiting(record, count, result);
    if ran.is_err() {
        record.fail();
    }
    ran
}

fn run_waiting(
    record: &Record,
    count: usize,
    result: impl FnOnce(&Device, &Buffer) -> nc_cuda::Result<()>,
) -> Result<Vec<f32>> {
    let ops = record.take();
    let mut uploads = Uploads::default();
    let device = &record.device;
    let places = ops.iter().map(|op| Places::of(op, device, &mut uploads)).collect::<Result<Vec<_>>>()?;
    let mut statistics = vec![];
    for op in &ops {
        statistics.extend(Running::of(op));
    }
    let all = statistics.iter().map(|running| running.values).sum();
    let compute = || -> nc_cuda::Result<_> {
        let results = device.buffer((all + count) * 4)?;
        let (mut tracked, mut start) = (vec![], 0);
        if !ops.is_empty() {
            let uploaded = uploads.send(device)?;
            for (mut op, places) in ops.into_iter().zip(&places) {
                let values = batch_values(&op);
                op.run(device, &uploaded, places, &results.from(start))?;
                start += values;
                // Without a backward pass, memory that no later operation reads is free now.
                if op.is_tracked() {
                    tracked.push(op);
                }
            }
        }
        result(device, &results.from(all))?;
        Ok((device.download(&results, all + count)?, tracked))
    };
    let (mut results, tracked) = compute().map_err(Error::wrap)?;
    let values = results.split_off(all);
    let mut rest = &results[..];
    for running in statistics {
        let (batch, after) = rest.split_at(running.values);
        running.update(batch)?;
        rest = after;
    }
    if let Some(token) = segment_token(record, tracked)? {
        record.set_token(token);
    }
    Ok(values)
}

/// Values of a layer's batch statistics: mean and variance.
fn batch_values(op: &Op) -> usize {
    match op {
        Op::Layer(layer) if layer.norm.as_ref().is_some_and(|norm| norm.train) => {
            2 * layer.layer.output.padded()
        }
        _ => 0,
    }
}

/// Where an operation's values are.
#[derive(Default)]
struct Places {
    /// Images or weight.
    main: Place,
    gamma: Place,
    beta: Place,
    running_mean: Place,
    running_var: Place,
}

enum Place {
    /// In the uploaded buffer, from this value on.
    Uploaded(usize),
    /// On the device already.
    Resident(Buffer),
}

impl Default for Place {
    fn default() -> Self {
        Self::Uploaded(0)
    }
}

impl Place {
    fn of(tensor: &Tensor, device: &Device, uploads: &mut Uploads) -> Result<Self> {
        match resident::values(tensor, device) {
            Some(buffer) => Ok(Self::Resident(buffer)),
            None => with_values(&tensor.contiguous()?, |values| Self::Uploaded(uploads.add(values))),
        }
    }

    fn buffer(&self, uploaded: &Buffer) -> Buffer {
        match self {
            Self::Uploaded(index) => uploaded.from(*index),
            Self::Resident(buffer) => buffer.clone(),
        }
    }
}

impl Places {
    fn of(op: &Op, device: &Device, uploads: &mut Uploads) -> Result<Self> {
        let mut place = |tensor: &Tensor| Place::of(tensor, device, uploads);
        match op {
            Op::Enter(Enter { images, .. }) => Ok(Self { main: place(images)?, ..Self::default() }),
            Op::MaxPool { .. } => Ok(Self::default()),
            Op::Layer(layer) => {
                let mut places = Self { main: place(&layer.weight)?, ..Self::default() };
                if let Some(norm) = &layer.norm {
                    places.gamma = place(&norm.gamma)?;
                    places.beta = place(&norm.beta)?;
                    if !norm.train {
                        places.running_mean = place(norm.running_mean.as_tensor())?;
                        places.running_var = place(norm.running_var.as_tensor())?;
                    }
                }
                Ok(places)
            }
        }
    }
}

impl Op {
    /// Computes the output. Uploaded values are at `places`; batch statistics go to `batch`.
    fn run(
        &mut self,
        device: &Device,
        uploaded: &Buffer,
        places: &Places,
        batch: &Buffer,
    ) -> nc_cuda::Result<()> {
        match self {
            Self::Enter(Enter { out, .. }) => {
                let buffer = device.buffer(out.of.bytes())?;
                out.of.from_planes(device, &places.main.buffer(uploaded), &buffer)?;
                out.set(buffer, None);
            }
            Self::MaxPool { pool, x, out } => {
                let Some((values, reading)) = x.values() else { return Ok(()) };
                let buffer = device.buffer(out.of.bytes())?;
                pool.forward(device, values, reading, &buffer)?;
                out.set(buffer, None);
            }
            Self::Layer(layer) => layer.run(device, uploaded, places, batch)?,
        }
        Ok(())
    }
}

impl ConvLayer {
    fn run(
        &mut self,
        device: &Device,
        uploaded: &Buffer,
        places: &Places,
        batch: &Buffer,
    ) -> nc_cuda::Result<()> {
        let Some((x, reading)) = self.x.values() else { return Ok(()) };
        let output = self.layer.output;
        let weight = self.layer.pack(device, &places.main.buffer(uploaded))?;
        let y = device.buffer(output.bytes())?;
        let train = self.norm.as_ref().is_some_and(|norm| norm.train);
        let sums = self.layer.convolve(device, x, reading, &weight, &y, train)?;
        let norm = match &self.norm {
            None => None,
            Some(BatchNorm { epsilon, .. }) => {
                let raw = nc_cuda::RawNorm {
                    gamma: places.gamma.buffer(uploaded),
                    beta: places.beta.buffer(uploaded),
                    epsilon: *epsilon,
                };
                Some(if let Some(sums) = sums {
                    raw.batch(device, output, &sums, batch)?
                } else {
                    let (mean, variance) = (&places.running_mean, &places.running_var);
                    raw.fixed(device, output, &mean.buffer(uploaded), &variance.buffer(uploaded))?
                })
            }
        };
        if let (Some((from, shortcut)), Some(norm)) = (&self.shortcut, &norm) {
            let Some(values) = from.values() else { return Ok(()) };
            let out = device.buffer(output.bytes())?;
            shortcut.add(device, (&y, norm), values, self.relu, &out)?;
            self.out.set(out, None);
        } else {
            let lazy = norm.clone().map(|norm| LazyNorm { norm, relu: self.relu });
            self.out.set(y.clone(), lazy);
        }
        self.done = Some(Done { weight, y, norm });
        Ok(())
    }
}

/// Running statistics that a run updates.
struct Running {
    mean: Var,
    variance: Var,
    momentum: f64,
    /// Number of the batch's values: mean, then unbiased variance.
    values: usize,
}

impl Running {
    fn of(op: &Op) -> Option<Self> {
        let Op::Layer(layer) = op else { return None };
        let norm = layer.norm.as_ref().filter(|norm| norm.train)?;
        Some(Self {
            mean: norm.running_mean.clone(),
            variance: norm.running_var.clone(),
            momentum: norm.momentum,
            values: batch_values(op),
        })
    }

    fn update(&self, batch: &[f32]) -> Result<()> {
        let (mean, variance) = batch.split_at(batch.len() / 2);
        for (variable, values) in [(&self.mean, mean), (&self.variance, variance)] {
            let before = to_vec(variable.as_tensor())?;
            let after: Vec<f32> = before
                .iter()
                .zip(values)
                .map(|(&before, &value)| running(self.momentum, before, f64::from(value)))
                .collect();
            variable.set(&Tensor::from_vec(after, variable.shape(), variable.device())?)?;
        }
        Ok(())
    }
}
