//! Optimisers, their state and gradient clipping.

mod adamw;
mod sgd;
mod trainable;
mod update;

pub use adamw::AdamW;
pub use sgd::Sgd;
pub use trainable::Trainable;
pub(crate) use update::Optimizer;
