//! Plans and the queue, at smoke scale.

mod kept;
mod plans;
mod reports;
mod support;
mod work;

pub(crate) use plans::refused;
