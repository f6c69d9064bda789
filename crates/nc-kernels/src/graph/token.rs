use candle_core::{CpuStorage, DType, Device, Result, Shape, Tensor};

/// What a token operation hands to Candle.
pub(super) fn token_storage() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

/// A token that is not tracked; also the gradient of one that is.
pub(super) fn token() -> Result<Tensor> {
    Tensor::zeros(1, DType::F32, &Device::Cpu)
}

/// The gradient of argument `arg` if it is a tracked token: Candle wants one where it tracks, and none elsewhere.
pub(super) fn token_gradient(arg: &Tensor) -> Result<Option<Tensor>> {
    if arg.track_op() { token().map(Some) } else { Ok(None) }
}
