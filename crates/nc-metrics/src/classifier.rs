use crate::{Error, Result};

/// A linear classifier z = W h + b.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    weight: Vec<f64>,
    bias: Vec<f64>,
}

impl Classifier {
    /// `weight` (K, P), row after row, and `bias` (K); without one, zeros.
    ///
    /// # Errors
    ///
    /// If the lengths do not fit K = `classes` and P = `dims`, or a value is not finite.
    pub fn new(weight: &[f32], bias: Option<&[f32]>, classes: usize, dims: usize) -> Result<Self> {
        if classes == 0 {
            return Err(Error::Empty("the classifier has no classes"));
        }
        finite("weight", weight, classes * dims, dims)?;
        let bias = match bias {
            Some(bias) => finite("bias", bias, classes, 1)?,
            None => vec![0.0; classes],
        };
        Ok(Self { weight: weight.iter().map(|&w| f64::from(w)).collect(), bias })
    }

    /// W, row after row.
    pub fn weight(&self) -> &[f64] {
        &self.weight
    }

    /// b.
    pub fn bias(&self) -> &[f64] {
        &self.bias
    }
}

fn finite(argument: &'static str, values: &[f32], expected: usize, width: usize) -> Result<Vec<f64>> {
    if values.len() != expected {
        return Err(Error::Length { argument, expected, found: values.len() });
    }
    match values.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(Error::NotFinite { argument, sample: index / width.max(1) }),
        None => Ok(values.iter().map(|&value| f64::from(value)).collect()),
    }
}
