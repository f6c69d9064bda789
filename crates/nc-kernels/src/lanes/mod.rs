//! Sixteen f32 lanes on some instruction set, and the kernels' entry point into it.
//!
//! Kernels are written once, over [`Lanes`]. Only [`Lanes::enter`] is compiled with the instruction set's features;
//! everything below it is inlined into that function, so that vectors stay in registers.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "x86_64")]
mod avx512_bf16;
#[cfg(target_arch = "x86_64")]
mod half_avx2;
#[cfg(target_arch = "x86_64")]
mod half_avx512;
mod portable;
mod vector;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512_bf16::Avx512Bf16;
pub(crate) use portable::Portable;
pub(crate) use vector::{Kernel, LANES, Lanes};
