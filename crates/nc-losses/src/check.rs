//! Validation of arguments, before any arithmetic.

use candle_core::{DType, Tensor};

use crate::{Error, Result};

/// Checks that every label is below `num_classes`, on any device.
///
/// The losses check labels themselves if these are in host memory. On other devices the check would synchronise, so the
/// losses omit it; call this once for labels from an untrusted source.
///
/// Shapes: `labels` (B) of `u32`.
///
/// # Errors
///
/// [`Error::Label`] with the first label out of range; [`Error::Shape`] unless B >= 1;
/// [`Error::DType`] unless `u32`.
///
/// # Example
///
/// ```
/// use candle_core::{Device, Tensor};
///
/// let labels = Tensor::new(&[0u32, 7, 2], &Device::Cpu)?;
/// let error = nc_losses::check_labels(&labels, 5).unwrap_err();
/// assert_eq!(error.to_string(), "labels: expected classes below 5, found 7 at position 1");
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn check_labels(labels: &Tensor, num_classes: usize) -> Result<()> {
    host_labels(labels, num_classes).map(|_| ())
}

/// Copies the labels to the host and checks that all are below `num_classes`.
pub(crate) fn host_labels(labels: &Tensor, num_classes: usize) -> Result<Vec<u32>> {
    if labels.rank() != 1 || labels.elem_count() == 0 {
        return Err(wrong_shape("labels", "(B) with B >= 1", labels));
    }
    require_u32(labels)?;
    let labels = labels.to_vec1::<u32>()?;
    below(&labels, num_classes)?;
    Ok(labels)
}

/// Requires every label to be below `num_classes`.
pub(crate) fn below(labels: &[u32], num_classes: usize) -> Result<()> {
    match labels.iter().position(|&label| label as usize >= num_classes) {
        Some(position) => Err(Error::Label { num_classes, found: labels[position], position }),
        None => Ok(()),
    }
}

/// Requires one label per sample and, on the CPU, that each is below `num_classes`.
pub(crate) fn labels(labels: &Tensor, samples: usize, num_classes: usize) -> Result<()> {
    shape("labels", labels, &[samples])?;
    require_u32(labels)?;
    if labels.device().is_cpu() {
        check_labels(labels, num_classes)?;
    }
    Ok(())
}

/// Requires a non-empty float matrix; returns its rows and columns.
pub(crate) fn matrix(argument: &'static str, tensor: &Tensor) -> Result<(usize, usize)> {
    match *tensor.dims() {
        [rows, columns] if rows > 0 && columns > 0 => {
            float(argument, tensor)?;
            Ok((rows, columns))
        }
        _ => Err(wrong_shape(argument, "(rows, columns), both above 0", tensor)),
    }
}

/// Requires one count per class.
pub(crate) fn counts(counts: &[usize], classes: usize) -> Result<()> {
    if counts.len() == classes { Ok(()) } else { Err(Error::Counts { classes, found: counts.len() }) }
}

/// Requires exactly this shape.
pub(crate) fn shape(argument: &'static str, tensor: &Tensor, expected: &[usize]) -> Result<()> {
    if tensor.dims() == expected {
        Ok(())
    } else {
        Err(wrong_shape(argument, &format!("{expected:?}"), tensor))
    }
}

/// Requires exactly this dtype.
pub(crate) fn dtype(argument: &'static str, tensor: &Tensor, expected: DType) -> Result<()> {
    if tensor.dtype() == expected {
        Ok(())
    } else {
        Err(Error::DType { argument, expected: format!("{expected:?}"), found: tensor.dtype() })
    }
}

/// Requires a number in [0, 1].
pub(crate) fn fraction(argument: &'static str, value: f64) -> Result<()> {
    if (0.0..=1.0).contains(&value) {
        Ok(())
    } else {
        Err(Error::Range { argument, expected: "a number in [0, 1]", found: value })
    }
}

/// Requires a finite number of at least 0.
pub(crate) fn non_negative(argument: &'static str, value: f64) -> Result<()> {
    if value >= 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Range { argument, expected: "a finite number of at least 0", found: value })
    }
}

/// Requires a finite temperature above 0.
pub(crate) fn temperature(value: f64) -> Result<()> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(Error::Range { argument: "temperature", expected: "a finite number above 0", found: value })
    }
}

/// One-hot encoding of validated labels: (B) -> (B, K).
pub(crate) fn one_hot(labels: &Tensor, num_classes: usize, dtype: DType) -> Result<Tensor> {
    let columns = Tensor::arange(0, num_classes as u32, labels.device())?;
    Ok(labels.unsqueeze(1)?.broadcast_eq(&columns.unsqueeze(0)?)?.to_dtype(dtype)?)
}

fn float(argument: &'static str, tensor: &Tensor) -> Result<()> {
    match tensor.dtype() {
        DType::F32 | DType::F64 => Ok(()),
        found => Err(Error::DType { argument, expected: "F32 or F64".to_owned(), found }),
    }
}

fn require_u32(labels: &Tensor) -> Result<()> {
    dtype("labels", labels, DType::U32)
}

fn wrong_shape(argument: &'static str, expected: &str, tensor: &Tensor) -> Error {
    Error::Shape { argument, expected: expected.to_owned(), found: tensor.dims().to_vec() }
}
