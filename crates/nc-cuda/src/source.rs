use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::Precision;

/// Values of the kernels' macros.
pub(crate) type Constants = Vec<(&'static str, i64)>;

/// File of a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum File {
    Convolution,
    KernelGradient,
    Weight,
    Norm,
    Elementwise,
    Convert,
    Update,
}

impl File {
    fn text(self) -> &'static str {
        match self {
            Self::Convolution => include_str!("kernels/convolution.cuh"),
            Self::KernelGradient => include_str!("kernels/kernel_gradient.cuh"),
            Self::Weight => include_str!("kernels/weight.cuh"),
            Self::Norm => include_str!("kernels/norm.cuh"),
            Self::Elementwise => include_str!("kernels/elementwise.cuh"),
            Self::Convert => include_str!("kernels/convert.cuh"),
            Self::Update => include_str!("kernels/update.cuh"),
        }
    }
}

/// A kernel specialised to one layer's shape by macros.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Source {
    pub(crate) file: File,
    pub(crate) kernel: &'static str,
    pub(crate) precision: Precision,
    pub(crate) threads: usize,
    pub(crate) constants: Constants,
}

impl Source {
    /// Name of the kernel.
    pub fn kernel(&self) -> &'static str {
        self.kernel
    }

    /// Precision of its activations.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// Threads per block.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Source for NVRTC or nvcc.
    pub fn cuda(&self) -> String {
        self.text(include_str!("kernels/device.cuh"))
    }

    /// The macros and the kernel's file after `primitives`.
    pub(crate) fn text(&self, primitives: &str) -> String {
        let mut text = String::new();
        let own = [("PRECISION", self.precision.code()), ("THREADS", self.threads as i64)];
        for (name, value) in own.iter().chain(&self.constants) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "#define {name} {value}");
        }
        text + primitives + include_str!("kernels/element.cuh") + self.file.text()
    }
}

/// Key of a compiled source in a cache.
pub(crate) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
