//! The kernels under the emulator, against f64 on identical rounded inputs.

mod barriers;
mod case;
mod convolutions;
mod cuda;
mod elementwise;
mod reference;
mod residual;
mod updates;
