//! Selection of the kernels' instruction set.

use std::sync::OnceLock;

use half::bf16;

use crate::Error;
use crate::kernels::{Kernels, Set};
use crate::lanes::Portable;
#[cfg(target_arch = "x86_64")]
use crate::lanes::{Avx2, Avx512, Avx512Bf16};

/// Environment variable that forces an instruction set.
const VARIABLE: &str = "NC_KERNELS_ISA";

/// An instruction set that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InstructionSet {
    /// AVX-512F and VL.
    Avx512,
    /// AVX2 and FMA.
    Avx2,
    /// Arrays, vectorised by the compiler for the target.
    Portable,
}

impl InstructionSet {
    /// All instruction sets, fastest first.
    pub(crate) const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Name used in the environment variable.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// The set's kernels, if the processor supports it. AVX-512 includes the instructions for bf16 where they exist.
    pub(crate) fn kernels(self) -> Option<SetKernels> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512
                if std::arch::is_x86_feature_detected!("avx512f")
                    && std::arch::is_x86_feature_detected!("avx512vl") =>
            {
                // SAFETY: handed out only where the features were detected; processors with them have AVX2 and FMA.
                const SET: Set<Avx512> = unsafe { Set::new() };
                // SAFETY: as above.
                const WITH_BF16: Set<Avx512Bf16> = unsafe { Set::new() };
                Some(SetKernels { f32: &SET, bf16: if has_avx512_bf16() { &WITH_BF16 } else { &SET } })
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2
                if std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("fma") =>
            {
                // SAFETY: handed out only where the features were detected.
                const SET: Set<Avx2> = unsafe { Set::new() };
                Some(SetKernels { f32: &SET, bf16: &SET })
            }
            Self::Portable => {
                // SAFETY: requires no processor feature.
                const SET: Set<Portable> = unsafe { Set::new() };
                Some(SetKernels { f32: &SET, bf16: &SET })
            }
            #[allow(unreachable_patterns)] // reachable without the features, or not on x86-64
            _ => None,
        }
    }

    /// The requested instruction set, or else the fastest that the processor supports.
    fn choose(wish: Option<&str>) -> Result<Self, Error> {
        let Some(wish) = wish else {
            return Ok(Self::ALL.into_iter().find(|set| set.kernels().is_some()).unwrap_or(Self::Portable));
        };
        let set = Self::ALL.into_iter().find(|set| set.name() == wish);
        let set = set.ok_or_else(|| Error::UnknownInstructionSet(wish.to_owned()))?;
        if set.kernels().is_some() { Ok(set) } else { Err(Error::UnsupportedInstructionSet(set.name())) }
    }
}

/// Kernels of an instruction set by the type of activations.
#[derive(Clone, Copy)]
pub(crate) struct SetKernels {
    pub(crate) f32: Kernels<f32>,
    pub(crate) bf16: Kernels<bf16>,
}

/// Whether the processor has the instructions that [`Avx512Bf16`] uses.
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_avx512_bf16() -> bool {
    std::arch::is_x86_feature_detected!("avx512bf16") && std::arch::is_x86_feature_detected!("avx512bw")
}

/// False: they are part of x86-64.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn has_avx512_bf16() -> bool {
    false
}

/// The choice for this process, made on first use.
fn chosen() -> Result<InstructionSet, Error> {
    static CHOSEN: OnceLock<Result<InstructionSet, Error>> = OnceLock::new();
    let chosen = CHOSEN.get_or_init(|| {
        let wish = std::env::var_os(VARIABLE).filter(|wish| !wish.is_empty());
        InstructionSet::choose(wish.map(|wish| wish.to_string_lossy().into_owned()).as_deref())
    });
    chosen.clone()
}

/// The kernels of this process.
pub(crate) fn kernels() -> Result<SetKernels, Error> {
    let set = chosen()?;
    set.kernels().ok_or(Error::UnsupportedInstructionSet(set.name()))
}

/// Name of the instruction set that the vector kernels use: "avx512", "avx2" or "portable". The default is the fastest
/// that the processor supports; the environment variable NC_KERNELS_ISA overrides it.
///
/// # Errors
///
/// If NC_KERNELS_ISA has another value or names a set that the processor lacks.
pub fn instruction_set() -> candle_core::Result<&'static str> {
    Ok(chosen()?.name())
}

/// True if the vector kernels compute in bf16 with the instructions of AVX512-BF16. Without them, convolutions have the same
/// results, more slowly than in f32; only numbers below 2^-126 differ, which the instructions treat as 0.
///
/// # Errors
///
/// As for [`instruction_set`].
pub fn has_bf16_instructions() -> candle_core::Result<bool> {
    Ok(chosen()? == InstructionSet::Avx512 && has_avx512_bf16())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requested_sets_are_chosen_if_supported() {
        assert_eq!(InstructionSet::choose(Some("portable")).unwrap(), InstructionSet::Portable);
        assert!(matches!(InstructionSet::choose(Some("sse")), Err(Error::UnknownInstructionSet(_))));
        for set in InstructionSet::ALL {
            let supported = set.kernels().is_some();
            assert_eq!(InstructionSet::choose(Some(set.name())).is_ok(), supported, "{set:?}");
        }
        assert!(InstructionSet::choose(None).is_ok());
    }
}
