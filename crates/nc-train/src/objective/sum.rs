use candle_core::Tensor;

use crate::Result;

/// The sum of `values` in their order; `None` without values.
pub(crate) fn sum(values: impl IntoIterator<Item = Result<Tensor>>) -> Result<Option<Tensor>> {
    let mut sum: Option<Tensor> = None;
    for value in values {
        let value = value?;
        sum = Some(match sum {
            Some(sum) => (sum + value)?,
            None => value,
        });
    }
    Ok(sum)
}
