//! Backward pass of a run.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Error, Layout, Result, Shape, Tensor};
use nc_cuda::{Buffer, Device, Mask, OutputGradient, Reading};

use super::node::Gradient;
use super::record::{ConvLayer, Done, Enter, Op, Record};
use super::resident::{self, GradientSlot};
use crate::graph::{ParameterGradients, ParameterSlot, parameters, token, token_gradient, token_storage};

/// Operations of a run, kept for its backward pass. Nothing is consumed, because a graph may be walked more than once.
struct Segment {
    device: Device,
    /// Tracked operations, and the destination of their gradients.
    ops: Vec<(Op, Slot)>,
}

/// Destination of the gradients that leave the GPU.
#[derive(Clone)]
enum Slot {
    None,
    Parameters(ParameterSlot),
    Images(ImageSlot),
}

type ImageSlot = Arc<Mutex<Option<Vec<f32>>>>;

/// A token whose backward pass is that of the tracked operations `ops`; `None` if there are none. It depends on the
/// tokens of all their parameters and images and on that of the run before, so that Candle visits these afterwards.
pub(super) fn segment_token(record: &Record, ops: Vec<Op>) -> Result<Option<Tensor>> {
    let mut joined = record.token();
    let mut tracked = vec![];
    for op in ops {
        let (slot, own) = match &op {
            Op::MaxPool { .. } => (Slot::None, None),
            Op::Enter(Enter { images, .. }) => {
                let slot = ImageSlot::default();
                let token = images.apply_op1(Images(slot.clone()))?;
                (Slot::Images(slot), Some(token))
            }
            Op::Layer(layer) => {
                let none = token()?;
                let norm = layer.norm.as_ref();
                let (gamma, beta) = norm.map_or((&none, &none), |norm| (&norm.gamma, &norm.beta));
                let (token, slot) = parameters(&layer.weight, gamma, beta)?;
                (Slot::Parameters(slot), Some(token))
            }
        };
        tracked.push((op, slot));
        joined = match (joined, own) {
            (Some(joined), Some(own)) => Some(joined.apply_op2(&own, Join)?),
            (joined, own) => joined.or(own),
        };
    }
    match joined {
        Some(joined) if !tracked.is_empty() => {
            joined.apply_op1(Segment { device: record.device.clone(), ops: tracked }).map(Some)
        }
        _ => Ok(None),
    }
}

/// Two tokens -> one.
struct Join;

impl CustomOp2 for Join {
    fn name(&self) -> &'static str {
        "join_tokens"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        _: &Tensor,
        _: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((token_gradient(first)?, token_gradient(second)?))
    }
}

/// Images -> token; takes the images' gradient from the slot.
struct Images(ImageSlot);

impl CustomOp1 for Images {
    fn name(&self) -> &'static str {
        "enter_gpu"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(&self, images: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        let gradient = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match gradient {
            Some(gradient) => Tensor::from_vec(gradient, images.shape(), images.device()).map(Some),
            None => images.zeros_like().map(Some),
        }
    }
}

impl CustomOp1 for Segment {
    fn name(&self) -> &'static str {
        "gpu_layers"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(token_storage())
    }

    fn bwd(&self, joined: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        if let Err(error) = self.backward() {
            // Another backward pass would add to what this one left.
            for (op, _) in &self.ops {
                op.inputs().into_iter().chain([op.out()]).for_each(|node| drop(node.take_gradient()));
                if let Op::Layer(layer) = op {
                    layer.parameters().for_each(|one| resident::forget_gradient(one, &self.device));
                }
            }
            return Err(Error::wrap(error));
        }
        token_gradient(joined)
    }
}

/// Number of values of an operation's gradients that go to the host: the weight or images, gamma, beta.
fn gradient_values(op: &Op, device: &Device) -> [usize; 3] {
    let count = |tensor: &Tensor| if resident::learns(tensor, device) { 0 } else { tensor.elem_count() };
    match op {
        Op::MaxPool { .. } => [0; 3],
        Op::Enter(Enter { images, .. }) => [images.elem_count(), 0, 0],
        Op::Layer(layer) => {
            let weight = Some(&layer.weight).filter(|weight| weight.track_op());
            let norm = layer.norm.as_ref();
            [weight, norm.map(|norm| &norm.gamma), norm.map(|norm| &norm.beta)]
                .map(|tensor| tensor.map_or(0, count))
        }
    }
}

/// Destinations of the gradients that stay on the device, in the same order.
fn gradient_slots(op: &Op, device: &Device) -> nc_cuda::Result<[Option<GradientSlot>; 3]> {
    let Op::Layer(layer) = op else { return Ok([None, None, None]) };
    let slot = |tensor: &Tensor| GradientSlot::of(tensor, device);
    let (gamma, beta) = match &layer.norm {
        Some(norm) => (slot(&norm.gamma)?, slot(&norm.beta)?),
        None => (None, None),
    };
    Ok([slot(&layer.weight)?, gamma, beta])
}

impl Segment {
    fn backward(&self) -> nc_cuda::Result<()> {
        let device = &self.device;
        let counts: Vec<_> = self.ops.iter().map(|(op, _)| gradient_values(op, device)).collect();
        let count = counts.iter().flatten().sum();
        let gradients = device.buffer(count * 4)?;
        let mut end = count;
        let mut computed = vec![false; self.ops.len()];
        let mut starts = vec![0; self.ops.len()];
        for (index, (op, _)) in self.ops.iter().enumerate().rev() {
            end -= counts[index].iter().sum::<usize>();
            starts[index] = end;
            let slots = gradient_slots(op, device)?;
            let mut start = end;
            let targets = std::array::from_fn(|part| {
                let own = gradients.from(start);
                start += counts[index][part];
                slots[part].as_ref().map_or(own, |slot| slot.target().clone())
            });
            computed[index] = op.backward(device, &targets)?;
            if computed[index] {
                slots.iter().flatten().try_for_each(|slot| slot.take(device))?;
            }
        }
        let values = device.download(&gradients, count)?;
        for (index, (_, slot)) in self.ops.iter().enumerate().filter(|(index, _)| computed[*index]) {
            let mut rest = &values[starts[index]..];
            let [main, gamma, beta] = counts[index].map(|count| {
                let (part, after) = rest.split_at(count);
                rest = after;
                (count > 0).then(|| part.to_vec())
            });
            match slot {
                Slot::None => {}
                Slot::Images(slot) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = main,
                Slot::Parameters(slot) => slot.put(ParameterGradients { weight: main, gamma, beta }),
            }
        }
        Ok(())
    }
}

impl Op {
    /// Propagates the output's gradient, if there is one, to inputs and parameters. The parameters' gradients go to
    /// `targets`. Returns whether there was one.
    fn backward(&self, device: &Device, targets: &[Buffer; 3]) -> nc_cuda::Result<bool> {
        let Some(gradient) = self.out().take_gradient() else { return Ok(false) };
        match self {
            Self::Enter(Enter { out, .. }) => {
                out.of.to_planes(device, &gradient.buffer, Reading::Plain, &targets[0])?;
            }
            Self::MaxPool { pool, x, .. } => {
                let Some(values) = x.values() else { return Ok(false) };
                x.add_gradient(device, |target, add| {
                    pool.gradient(device, values, &gradient.buffer, target, add)
                })?;
            }
            Self::Layer(layer) => {
                let Some(done) = &layer.done else { return Ok(false) };
                layer.backward(device, done, gradient, targets)?;
            }
        }
        Ok(true)
    }
}

impl ConvLayer {
    fn backward(
        &self,
        device: &Device,
        done: &Done,
        gradient: Gradient,
        [weight, gamma, beta]: &[Buffer; 3],
    ) -> nc_cuda::Result<()> {
        let Self { layer, x, .. } = self;
        let Gradient { buffer, sums } = gradient;
        let norm_gradient = match (&self.norm, &done.norm) {
            (Some(norm), Some(of)) => {
                let sums = match sums {
                    Some(sums) => sums,
                    None => layer.output.mask_and_sum(device, &buffer, self.mask(), &done.y, of)?,
                };
                Some(of.gradient(device, layer.output, &sums, norm.train, gamma, beta)?)
            }
            _ => None,
        };
        let output =
            OutputGradient { gradient: &buffer, norm: norm_gradient.as_ref().map(|norm| (norm, &done.y)) };
        let Some((values, reading)) = x.values() else { return Ok(()) };
        if self.weight.track_op() {
            layer.kernel_gradient(device, values, reading, output, weight)?;
        }
        if x.tracked {
            x.accumulate(device, |target| layer.input_gradient(device, output, &done.weight, target))?;
        }
        match &self.shortcut {
            Some((from, shortcut)) if from.tracked => {
                if shortcut.from == shortcut.to {
                    from.give_gradient(device, buffer)
                } else {
                    from.add_gradient(device, |target, add| shortcut.gradient(device, &buffer, target, add))
                }
            }
            _ => Ok(()),
        }
    }

    /// Where the layer's ReLU passes the gradient.
    fn mask(&self) -> Mask<'_> {
        match (self.relu, &self.shortcut, self.out.values()) {
            (false, ..) => Mask::Open,
            (true, Some(_), Some((out, _))) => Mask::Output(out),
            _ => Mask::Normalised,
        }
    }
}
