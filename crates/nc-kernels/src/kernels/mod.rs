//! The vector kernels behind a safe interface.
//!
//! Operations call [`KernelSet`]: it takes slices, checks their lengths and has one object per instruction set. The
//! kernels work on raw pointers and are written once for all instruction sets ([`crate::lanes`]).

mod border;
mod direct_forward;
mod direct_spread;
mod dispatch_forward;
mod dispatch_gradient;
mod dispatch_pointwise;
mod elementwise;
mod general_forward;
mod geometry;
mod kernel_gradient;
mod kernel_set;
mod pack;
mod pointwise;
mod problem;
mod set;
mod tile;

pub(crate) use elementwise::GradientSums;
pub(crate) use geometry::{Conv, blocks};
pub(crate) use kernel_set::{Epilogue, KernelSet, Kernels, Mask, NormCoefficients};
pub(crate) use pack::{pack, pack_transposed, transposed_len, unpack};
pub(crate) use set::Set;
pub(crate) use tile::BlockSums;
