//! Integration tests in one binary.

mod features;
mod inputs;
mod interrupted;
mod other_files;
mod records;
mod refusals;
mod tensorboard;
