//! What a configuration may hold: read off the types it becomes, and the one source of what is checked, said about a
//! wrong value, and written in the reference.

mod check;
mod node;
mod range;
mod reference;
#[cfg(test)]
mod tests;

pub(crate) use check::{check, element_name};
pub use reference::reference;
