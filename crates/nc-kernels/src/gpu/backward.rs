//! Backward pass of a run.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Error, Layout, Result, Shape, Tensor};
use nc_cuda::{Buffer, Device, Mask, OutputGradient, Reading};

use super::node::Gradient;
use super::record::{ConvLayer, Done, Enter, Op, Record};
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
            }
            return Err(Error::wrap(error));
        }
        token_gradient(joined)
    }
}

/// Number of values that an operation's gradients take: the weight or images, gamma, beta.
fn gradient_values(op: &Op) -> [usize; 3] {
    match op {
        Op::MaxPool { .. } => [0; 3],
        Op::Enter(Enter { images, .. }) => [images.elem_count(), 0, 0],
        Op::Layer(layer) => {
            let channels = layer.norm.as_ref().map_or(0, |_| layer.layer.output.channels);
            [layer.weight.elem_count(), channels, channels]
        }
    }
}

impl Segment {
    fn backward(&self) -> nc_cuda::Result<()> {
        let counts: Vec<_> = self.ops.iter().map(|(op, _)| gradient_values(op)).collect();
        let count = counts.iter().flatten().sum();
        let gradients = self.device.buffer(count * 4)?;
        let mut end = count;
        let mut computed = vec![false; self.ops.len()];
        let mut starts = vec![0; self.ops.len()];
        for (index, (op, _)) in self.ops.iter().enumerate().rev() {
            end -= counts[index].iter().sum::<usize>();
            starts[index] = end;
            let parts = [end, end + counts[index][0], end + counts[index][0] + counts[index][1]];
            computed[index] = op.backward(&self.device, &parts.map(|start| gradients.from(start)))?;
        }
        let values = self.device.download(&gradients, count)?;
        for (index, (op, slot)) in self.ops.iter().enumerate().filter(|(index, _)| computed[*index]) {
            let mut rest = &values[starts[index]..];
            let [main, gamma, beta] = counts[index].map(|count| {
                let (part, after) = rest.split_at(count);
                rest = after;
                part.to_vec()
            });
            match slot {
                Slot::None => {}
                Slot::Images(slot) => *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(main),
                Slot::Parameters(slot) => {
                    let norm = matches!(op, Op::Layer(layer) if layer.norm.is_some());
                    let weight = matches!(op, Op::Layer(layer) if layer.weight.track_op());
                    slot.put(ParameterGradients {
                        weight: weight.then_some(main),
                        gamma: norm.then_some(gamma),
                        beta: norm.then_some(beta),
                    });
                }
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
