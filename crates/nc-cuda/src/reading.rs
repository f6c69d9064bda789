use crate::device::optional;
use crate::driver::Argument;
use crate::{Buffer, Norm, NormGradient};

/// How a kernel reads stored activations.
#[derive(Clone, Copy)]
pub enum Reading<'a> {
    /// As they are.
    Plain,
    /// Normalised.
    Normalised(&'a Norm),
    /// Normalised, then cut off at zero.
    Rectified(&'a Norm),
}

impl Reading<'_> {
    /// Value of the macro `READING`.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Plain => 0,
            Self::Normalised(_) => 1,
            Self::Rectified(_) => 2,
        }
    }

    pub(crate) fn argument(self) -> Argument {
        match self {
            Self::Plain => Argument::Pointer(0),
            Self::Normalised(norm) | Self::Rectified(norm) => norm.rows.argument(),
        }
    }
}

/// Gradient of a layer's output, from which the kernels compute that of the convolution's.
#[derive(Clone, Copy)]
pub struct OutputGradient<'a> {
    /// Gradient of the output, after the ReLU's mask.
    pub gradient: &'a Buffer,
    /// Batch norm's gradient and the convolution's output; none without batch norm.
    pub norm: Option<(&'a NormGradient, &'a Buffer)>,
}

impl OutputGradient<'_> {
    /// Addresses of gradient, norm rows and the convolution's output.
    pub(crate) fn arguments(self) -> [Argument; 3] {
        let (rows, y) = self.norm.map(|(norm, y)| (&norm.rows, y)).unzip();
        [self.gradient.argument(), optional(rows), optional(y)]
    }
}
