use candle_core::{CpuStorage, Result, Storage, Tensor, bail};

use crate::buffer::Buffer;
use crate::element::Element;

/// Calls `f` with the values of a contiguous f32 tensor on the CPU.
pub(crate) fn with_values<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    let (storage, layout) = tensor.storage_and_layout();
    match (&*storage, layout.contiguous_offsets()) {
        (Storage::Cpu(CpuStorage::F32(values)), Some((start, end))) => Ok(f(&values[start..end])),
        _ => bail!("expected a contiguous f32 tensor on the CPU"),
    }
}

/// Calls `f` with the values as `E`.
pub(crate) fn with_converted<E: Element, T>(values: &[f32], f: impl FnOnce(&[E]) -> T) -> T {
    if let Some(values) = E::borrow(values) {
        return f(values);
    }
    let mut converted = Buffer::take(values.len());
    E::convert(values, &mut converted);
    f(&converted)
}

/// Values of a small f32 tensor on the CPU, of any strides.
pub(crate) fn to_vec(tensor: &Tensor) -> Result<Vec<f32>> {
    tensor.detach().flatten_all()?.to_vec1()
}
