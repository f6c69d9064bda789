//! Layers in f64, on planes.

use nc_cuda::{Activations, Layer};

/// Batch norm of a layer's output with given statistics.
#[derive(Clone)]
pub(crate) struct Norm {
    pub(crate) gamma: Vec<f64>,
    pub(crate) beta: Vec<f64>,
    pub(crate) mean: Vec<f64>,
    pub(crate) variance: Vec<f64>,
    pub(crate) epsilon: f64,
}

impl Norm {
    pub(crate) fn inverse(&self, channel: usize) -> f64 {
        1.0 / (self.variance[channel] + self.epsilon).sqrt()
    }

    pub(crate) fn apply(&self, channel: usize, value: f64) -> f64 {
        (value - self.mean[channel]) * self.inverse(channel) * self.gamma[channel] + self.beta[channel]
    }
}

/// Channel of each value of planes.
pub(crate) fn channels(of: Activations) -> impl Iterator<Item = usize> {
    (0..of.images * of.channels)
        .flat_map(move |plane| std::iter::repeat_n(plane % of.channels, of.height * of.width))
}

/// Calls `f` with the indices of input, output and kernel of every product of the convolution.
fn products(layer: Layer, mut f: impl FnMut(usize, usize, usize)) {
    let Layer { input, output, kernel, stride, padding } = layer;
    for image in 0..input.images {
        for o in 0..output.channels {
            for row in 0..output.height {
                for column in 0..output.width {
                    let y = ((image * output.channels + o) * output.height + row) * output.width + column;
                    for u in 0..kernel {
                        let Some(r) = (row * stride + u).checked_sub(padding).filter(|r| *r < input.height)
                        else {
                            continue;
                        };
                        for v in 0..kernel {
                            let c = (column * stride + v).checked_sub(padding);
                            let Some(c) = c.filter(|c| *c < input.width) else { continue };
                            for i in 0..input.channels {
                                let x = ((image * input.channels + i) * input.height + r) * input.width + c;
                                f(x, y, ((o * input.channels + i) * kernel + u) * kernel + v);
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(crate) fn convolve(layer: Layer, x: &[f64], weight: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; layer.output.pixels() * layer.output.channels];
    products(layer, |i, o, w| y[o] += x[i] * weight[w]);
    y
}

pub(crate) fn input_gradient(layer: Layer, dy: &[f64], weight: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; layer.input.pixels() * layer.input.channels];
    products(layer, |i, o, w| dx[i] += dy[o] * weight[w]);
    dx
}

pub(crate) fn kernel_gradient(layer: Layer, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dw = vec![0.0; layer.output.channels * layer.input.channels * layer.kernel * layer.kernel];
    products(layer, |i, o, w| dw[w] += x[i] * dy[o]);
    dw
}

/// Mean and biased variance per channel.
pub(crate) fn moments(of: Activations, planes: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let count = (of.pixels()) as f64;
    let mut mean = vec![0.0; of.channels];
    for (channel, value) in channels(of).zip(planes) {
        mean[channel] += value / count;
    }
    let mut variance = vec![0.0; of.channels];
    for (channel, value) in channels(of).zip(planes) {
        variance[channel] += (value - mean[channel]).powi(2) / count;
    }
    (mean, variance)
}

/// Gradients of a batch norm whose output's gradient is `gradient`: of its input, of gamma, of beta.
pub(crate) fn norm_gradient(
    of: Activations,
    norm: &Norm,
    y: &[f64],
    gradient: &[f64],
    from_batch: bool,
) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
    let (mut gamma, mut beta) = (vec![0.0; of.channels], vec![0.0; of.channels]);
    for ((channel, y), gradient) in channels(of).zip(y).zip(gradient) {
        gamma[channel] += gradient * (y - norm.mean[channel]) * norm.inverse(channel);
        beta[channel] += gradient;
    }
    let count = of.pixels() as f64;
    let dx = channels(of).zip(y).zip(gradient).map(|((channel, y), gradient)| {
        let normalised = (y - norm.mean[channel]) * norm.inverse(channel);
        let centred = if from_batch { (beta[channel] + normalised * gamma[channel]) / count } else { 0.0 };
        norm.gamma[channel] * norm.inverse(channel) * (gradient - centred)
    });
    (dx.collect(), gamma, beta)
}
