//! The program as a user runs it.

mod errors;
mod run;
mod train;
