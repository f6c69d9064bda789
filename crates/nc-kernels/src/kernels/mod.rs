//! The vector kernels behind a safe interface.
//!
//! Operations call [`Convolutions`] and [`Elementwise`]: they take slices, check their lengths, and have one object per
//! instruction set. The kernels work on raw pointers and are written once for all instruction sets ([`crate::lanes`]).

mod bf16_set;
mod border;
mod checks;
mod direct_forward;
mod direct_spread;
mod dispatch_dot;
mod dispatch_forward;
mod dispatch_gradient;
mod dispatch_pointwise;
mod dot_forward;
mod dot_gradient;
mod dot_spread;
mod elementwise;
mod general_forward;
mod geometry;
mod kernel_gradient;
mod kernel_set;
mod max_pool;
mod pack;
mod passes;
mod pointwise;
mod problem;
mod set;
mod tile;

pub(crate) use elementwise::GradientSums;
pub(crate) use geometry::{Conv, blocks};
pub(crate) use kernel_set::{Convolutions, Elementwise, Epilogue, Kernels, Mask, NormCoefficients};
pub(crate) use max_pool::Windows;
pub(crate) use pack::{transposed_len, unpack};
pub(crate) use set::Set;
pub(crate) use tile::BlockSums;
