//! The crate from outside, in one binary.

mod config_files;
mod experiments;
mod hashes;
mod methods;
mod optimizer;
mod recipes;
mod refusals;
mod resnet_steps;
mod support;
mod unfinished;
