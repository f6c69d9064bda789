//! Runs a record: one copy to the device, the kernels, one copy back.

use std::sync::Arc;

use candle_core::{Error, Result, Tensor};
use nc_cuda::{Buffer, Device, Uploads};

use super::backward::segment_token;
use super::node::LazyNorm;
use super::record::{BatchNorm, ConvLayer, Done, Enter, Op, Record};
use crate::batch_norm::running;
use crate::graph::{to_vec, with_values};

/// Runs the waiting operations, then `result`, which writes `count` values. Returns the values; `None` if `result` returns
/// false.
pub(super) fn run(
    record: &Arc<Record>,
    count: usize,
    result: impl FnOnce(&Device, &Buffer) -> nc_cuda::Result<bool>,
) -> Result<Option<Vec<f32>>> {
    let mut ops = record.take();
    let mut uploads = Uploads::default();
    let places = ops.iter().map(|op| Places::of(op, &mut uploads)).collect::<Result<Vec<_>>>()?;
    let mut statistics = vec![];
    let mut all = 0;
    for op in &ops {
        statistics.push(all);
        all += batch_values(op);
    }
    let computed =
        compute(record, &mut ops, &uploads, &places, &statistics, all + count, |device, results| {
            result(device, &results.from(all))
        });
    let Some(mut results) = computed.map_err(Error::wrap)? else { return Ok(None) };
    let values = results.split_off(all);
    for (op, start) in ops.iter().zip(statistics) {
        update_running(op, &results[start..start + batch_values(op)])?;
    }
    if let Some(token) = segment_token(record, ops)? {
        record.set_token(token);
    }
    Ok(Some(values))
}

fn compute(
    record: &Record,
    ops: &mut [Op],
    uploads: &Uploads,
    places: &[Places],
    statistics: &[usize],
    count: usize,
    result: impl FnOnce(&Device, &Buffer) -> nc_cuda::Result<bool>,
) -> nc_cuda::Result<Option<Vec<f32>>> {
    let device = &record.device;
    let results = device.buffer(count * 4)?;
    if !ops.is_empty() {
        let uploaded = uploads.send(device)?;
        for ((op, places), start) in ops.iter_mut().zip(places).zip(statistics) {
            op.run(device, &uploaded, *places, &results.from(*start))?;
        }
    }
    if result(device, &results)? { device.download(&results, count).map(Some) } else { Ok(None) }
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

/// Updates a layer's running statistics with the batch's mean and unbiased variance.
fn update_running(op: &Op, batch: &[f32]) -> Result<()> {
    let Op::Layer(layer) = op else { return Ok(()) };
    let Some(norm) = layer.norm.as_ref().filter(|norm| norm.train) else { return Ok(()) };
    let (mean, variance) = batch.split_at(batch.len() / 2);
    for (variable, values) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
        let before = to_vec(variable.as_tensor())?;
        let after: Vec<f32> = before
            .iter()
            .zip(values)
            .map(|(&before, &value)| running(norm.momentum, before, f64::from(value)))
            .collect();
        variable.set(&Tensor::from_vec(after, variable.shape(), variable.device())?)?;
    }
    Ok(())
}
