/// Storage of activations and gradients, and operands of matrix products. Sums, statistics and parameters are f32 or f64
/// in all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Stores f32 and multiplies pairs of TF32 terms: about f32's precision (Ootomo and Yokota 2022,
    /// <https://arxiv.org/abs/2203.03341>).
    F32,
    /// Stores f32 and rounds operands to TF32: 8 bits of exponent, 10 of mantissa.
    Tf32,
    /// Stores bf16 and multiplies bf16: 8 bits of exponent, 7 of mantissa.
    Bf16,
}

impl std::fmt::Display for Precision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        })
    }
}

impl Precision {
    /// Value of the macro `PRECISION` in the kernels.
    pub(crate) fn code(self) -> i64 {
        match self {
            Self::Bf16 => 0,
            Self::Tf32 => 1,
            Self::F32 => 2,
        }
    }

    /// Bytes of a stored value.
    pub fn bytes(self) -> usize {
        match self {
            Self::Bf16 => 2,
            Self::Tf32 | Self::F32 => 4,
        }
    }

    /// Values of a 16-byte vector.
    pub(crate) fn vector(self) -> usize {
        16 / self.bytes()
    }

    /// Inner dimension of a matrix instruction.
    pub(crate) fn step(self) -> usize {
        32 / self.bytes()
    }
}
