//! Models as a user of the crate sees them.

mod backbones;
mod heads;
mod models;
mod support;
