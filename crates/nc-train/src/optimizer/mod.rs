//! Optimisers, their state, gradient clipping and sharpness-aware minimisation.

mod adamw;
mod sam;
mod sgd;
mod trainable;
mod update;

pub use adamw::AdamW;
pub(crate) use sam::perturbed;
pub use sgd::Sgd;
pub use trainable::Trainable;
pub(crate) use update::Optimizer;
