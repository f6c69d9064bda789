//! Feature files.

mod array;
mod container;
mod contents;
mod floats;
mod npz;
mod safetensors;

pub use contents::{Features, TestFeatures};
pub use floats::Floats;
