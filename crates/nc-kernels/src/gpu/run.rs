//! Runs a record: one copy to the device, the kernels, one copy back.

use std::sync::Arc;

use candle_core::{Error, Result, Tensor, Var};
use nc_cuda::{Buffer, Device, Uploads};

use super::backward::segment_token;
use super::node::LazyNorm;
use super::record::{BatchNorm, ConvLayer, Done, Enter, Op, Record};
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
    let places = ops.iter().map(|op| Places::of(op, &mut uploads)).collect::<Result<Vec<_>>>()?;
    let mut statistics = vec![];
    for op in &ops {
        statistics.extend(Running::of(op));
    }
    let all = statistics.iter().map(|running| running.values).sum();
    let device = &record.device;
    let compute = || -> nc_cuda::Result<_> {
        let results = device.buffer((all + count) * 4)?;
        let (mut tracked, mut start) = (vec![], 0);
        if !ops.is_empty() {
            let uploaded = uploads.send(device)?;
            for (mut op, places) in ops.into_iter().zip(places) {
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

/// Indices of an operation's values in the uploaded buffer.
#[derive(Clone, Copy, Default)]
struct Places {
    /// Images or weight.
    main: usize,
    gamma: usize,
    beta: usize,
    running_mean: usize,
    running_var: usize,
}

impl Places {
    fn of(op: &Op, uploads: &mut Uploads) -> Result<Self> {
        let mut add = |tensor: &Tensor| with_values(&tensor.contiguous()?, |values| uploads.add(values));
        match op {
            Op::Enter(Enter { images, .. }) => Ok(Self { main: add(images)?, ..Self::default() }),
            Op::MaxPool { .. } => Ok(Self::default()),
            Op::Layer(layer) => {
                let mut places = Self { main: add(&layer.weight)?, ..Self::default() };
                if let Some(norm) = &layer.norm {
                    places.gamma = add(&norm.gamma)?;
                    places.beta = add(&norm.beta)?;
                    if !norm.train {
                        places.running_mean = add(norm.running_mean.as_tensor())?;
                        places.running_var = add(norm.running_var.as_tensor())?;
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
        places: Places,
        batch: &Buffer,
    ) -> nc_cuda::Result<()> {
        match self {
            Self::Enter(Enter { out, .. }) => {
                let buffer = device.buffer(out.of.bytes())?;
                out.of.from_planes(device, &uploaded.from(places.main), &buffer)?;
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
        places: Places,
        batch: &Buffer,
    ) -> nc_cuda::Result<()> {
        let Some((x, reading)) = self.x.values() else { return Ok(()) };
        let output = self.layer.output;
        let weight = self.layer.pack(device, &uploaded.from(places.main))?;
        let y = device.buffer(output.bytes())?;
        let train = self.norm.as_ref().is_some_and(|norm| norm.train);
        let sums = self.layer.convolve(device, x, reading, &weight, &y, train)?;
        let norm = match &self.norm {
            None => None,
            Some(BatchNorm { epsilon, .. }) => {
                let raw = nc_cuda::RawNorm {
                    gamma: uploaded.from(places.gamma),
                    beta: uploaded.from(places.beta),
                    epsilon: *epsilon,
                };
                Some(if let Some(sums) = sums {
                    raw.batch(device, output, &sums, batch)?
                } else {
                    let (mean, variance) =
                        (uploaded.from(places.running_mean), uploaded.from(places.running_var));
                    raw.fixed(device, output, &mean, &variance)?
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
