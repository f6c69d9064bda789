//! The crate from outside, in one binary.

mod features;
mod interrupted;
mod records;
mod tensorboard;
