use candle_core::{Result, Tensor};

use crate::{ConvNorm, Mode};

/// Batch norm of `y` (N, C, H, W) as in PyTorch: biased variance for normalisation, unbiased for running statistics.
pub(super) fn forward(layer: &ConvNorm<'_>, y: &Tensor, mode: Mode) -> Result<Tensor> {
    let per_channel = |t: &Tensor| t.reshape((1, (), 1, 1));
    let (centred, variance) = match mode {
        Mode::Eval => {
            let mean = layer.running_mean.as_detached_tensor();
            (y.broadcast_sub(&per_channel(&mean)?)?, layer.running_var.as_detached_tensor())
        }
        Mode::Train => {
            let mean = channel_mean(y)?;
            let centred = y.broadcast_sub(&per_channel(&mean)?)?;
            let variance = channel_mean(&centred.sqr()?)?;
            update_running_statistics(layer, y, &mean, &variance)?;
            (centred, variance)
        }
    };
    let deviation = (variance + layer.eps)?.sqrt()?;
    let scale = (layer.gamma / deviation)?;
    centred.broadcast_mul(&per_channel(&scale)?)?.broadcast_add(&per_channel(layer.beta)?)
}

/// Mean over N, H and W.
fn channel_mean(y: &Tensor) -> Result<Tensor> {
    y.transpose(0, 1)?.flatten_from(1)?.mean(1)
}

fn update_running_statistics(
    layer: &ConvNorm<'_>,
    y: &Tensor,
    mean: &Tensor,
    variance: &Tensor,
) -> Result<()> {
    let count = (y.elem_count() / layer.shape.out_channels) as f64;
    let unbiased = (variance.detach() * (count / (count - 1.0)))?;
    for (running, batch) in [(layer.running_mean, mean.detach()), (layer.running_var, unbiased)] {
        let kept = (running.as_detached_tensor() * (1.0 - layer.momentum))?;
        running.set(&(kept + (batch * layer.momentum)?)?)?;
    }
    Ok(())
}
