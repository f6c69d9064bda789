//! Pages.

mod document;
mod escape;
mod figure;
mod page;
mod table;

pub(crate) use document::{document, figures};
pub(crate) use escape::escape;
pub use page::page;
