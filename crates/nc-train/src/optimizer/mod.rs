//! Optimisers, their state and gradient clipping.

mod adamw;
mod optimizer;
mod sgd;
mod trainable;

pub use adamw::AdamW;
pub(crate) use optimizer::Optimizer;
pub use sgd::Sgd;
pub use trainable::Trainable;
