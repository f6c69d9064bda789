//! Features of a trained model, in files.

mod array;
mod container;
mod contents;
mod npz;
mod safetensors;

pub use contents::{Features, TestFeatures};
