//! HTML pages.

mod document;
mod escape;
mod figure;
mod page;
mod table;

pub(crate) use document::{document, figures, live_document, notes, panels};
pub(crate) use escape::escape;
pub use page::page;
