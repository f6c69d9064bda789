//! Optimisers, their state, gradient clipping and sharpness-aware minimisation.

mod adamw;
mod on_gpu;
mod sam;
mod sgd;
mod trainable;
mod update;
mod updates;

pub use adamw::AdamW;
pub use sgd::Sgd;
pub use trainable::Trainable;
pub(crate) use updates::Updates;
