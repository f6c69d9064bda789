use candle_core::{CpuStorage, DType, Device, Result, Shape, Tensor};

/// Storage and shape of a token operation's result.
pub(crate) fn token_storage() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

/// An untracked token; also the gradient of a tracked one.
pub(crate) fn token() -> Result<Tensor> {
    Tensor::zeros(1, DType::F32, &Device::Cpu)
}

/// Gradient of argument `arg` if it is a tracked token: Candle requires a gradient exactly where it tracks.
pub(crate) fn token_gradient(arg: &Tensor) -> Result<Option<Tensor>> {
    if arg.track_op() { token().map(Some) } else { Ok(None) }
}
