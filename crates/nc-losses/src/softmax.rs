use candle_core::Tensor;

use crate::Result;

/// Logarithm of the softmax over the columns of a matrix.
///
/// Rows are shifted by their maximum so that the exponentials cannot overflow. The result does not depend on the shift,
/// so the maximum is detached from the graph.
pub(crate) fn log_softmax(logits: &Tensor) -> Result<Tensor> {
    let shifted = logits.broadcast_sub(&logits.detach().max_keepdim(1)?)?;
    let normaliser = shifted.exp()?.sum_keepdim(1)?.log()?;
    Ok(shifted.broadcast_sub(&normaliser)?)
}
