//! Plans, and the queue that does them, at smoke scale.

mod kept;
mod plans;
mod reports;
mod support;
mod work;

pub(crate) use plans::refused;
