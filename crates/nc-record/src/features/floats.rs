use std::borrow::Cow;

/// Floating-point numbers in the precision of their file.
#[derive(Clone, Debug, PartialEq)]
pub enum Floats {
    /// 32 bits, or widened from 16 bits.
    F32(Vec<f32>),
    /// 64 bits.
    F64(Vec<f64>),
}

impl Floats {
    /// The numbers, if stored in 32 bits.
    pub fn as_f32(&self) -> Option<&[f32]> {
        match self {
            Self::F32(values) => Some(values),
            Self::F64(_) => None,
        }
    }

    /// The numbers in 64 bits (exact).
    pub fn to_f64(&self) -> Cow<'_, [f64]> {
        match self {
            Self::F32(values) => values.iter().map(|&value| f64::from(value)).collect(),
            Self::F64(values) => Cow::Borrowed(values),
        }
    }
}

impl Default for Floats {
    fn default() -> Self {
        Self::F32(vec![])
    }
}

impl From<Vec<f32>> for Floats {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl From<Vec<f64>> for Floats {
    fn from(values: Vec<f64>) -> Self {
        Self::F64(values)
    }
}
