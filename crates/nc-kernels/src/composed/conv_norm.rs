use candle_core::{Result, Tensor};

use super::stride::subsample;
use super::{batch_norm, conv2d};
use crate::{ConvNorm, Mode, Shortcut};

/// relu?(batch_norm(conv(x)) + shortcut).
pub(crate) fn conv_norm(
    layer: &ConvNorm<'_>,
    x: &Tensor,
    shortcut: Shortcut<'_>,
    relu: bool,
    mode: Mode,
) -> Result<Tensor> {
    let y = conv2d(x, layer.weight, layer.shape)?;
    let y = batch_norm::forward(layer, &y, mode)?;
    let y = match shortcut {
        Shortcut::None => y,
        Shortcut::Identity(map) => (y + map.to_tensor()?)?,
        Shortcut::Subsample(map, stride) => {
            let channels = (layer.shape.out_channels - map.dims().1) / 2;
            let sub = subsample(&map.to_tensor()?, stride)?;
            (y + sub.pad_with_zeros(1, channels, channels)?)?
        }
    };
    if relu { positive_part(&y) } else { Ok(y) }
}

/// max(x, 0) that propagates NaN, with gradient 0 at 0 (Candle's relu has 1 there).
fn positive_part(x: &Tensor) -> Result<Tensor> {
    let zeros = x.zeros_like()?.detach();
    x.le(&zeros)?.where_cond(&zeros, x)
}
