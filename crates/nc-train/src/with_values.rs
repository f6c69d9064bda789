use candle_core::{Tensor, Var};

use crate::Result;

/// The result of `of` while variables have these values; afterwards, or on an error, they have their own again.
pub(crate) fn with_values<T>(values: &[(Var, Tensor)], of: impl FnOnce() -> Result<T>) -> Result<T> {
    let own = values.iter().map(|(var, _)| var.as_detached_tensor().copy());
    let own = own.collect::<candle_core::Result<Vec<_>>>()?;
    let set = values.iter().try_for_each(|(var, value)| var.set(value));
    let result = set.map_err(Into::into).and_then(|()| of());
    for ((var, _), value) in values.iter().zip(&own) {
        var.set(value)?;
    }
    result
}
